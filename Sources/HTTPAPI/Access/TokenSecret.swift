// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// The stored hash of a token's secret: SHA-256. A secret has 160 random bits, so a fast hash is as good as a slow one.
struct TokenSecret: Hashable, Sendable {
    private let digest: [UInt8]

    private static let prefix = "sha256:"

    /// The hash of `secret`.
    init(of secret: String) {
        digest = Self.digest(of: secret)
    }

    /// The hash that `text` stores; nil when it is malformed.
    init?(stored text: String) {
        guard text.hasPrefix(Self.prefix), let digest = [UInt8](hexadecimal: text.dropFirst(Self.prefix.utf8.count)),
            digest.count == Int(GL_SHA256_SIZE)
        else {
            return nil
        }
        self.digest = digest
    }

    /// The text that is stored.
    var stored: String { Self.prefix + digest.hexadecimal }

    /// Whether `secret` matches the hash `stored`. Takes as long when `stored` is nil, which nothing matches.
    static func matches(_ secret: String, _ stored: TokenSecret?) -> Bool {
        let wanted = stored?.digest ?? [UInt8](repeating: 0, count: Int(GL_SHA256_SIZE))
        let isEqual = gl_equal_in_constant_time(digest(of: secret), wanted, wanted.count)
        return isEqual && stored != nil
    }

    private static func digest(of secret: String) -> [UInt8] {
        let text = Array(secret.utf8)
        var digest = [UInt8](repeating: 0, count: Int(GL_SHA256_SIZE))
        gl_sha256(text, text.count, &digest)
        return digest
    }
}
