// SPDX-License-Identifier: Apache-2.0

import CBytes
import CLinux
import LogModel

/// The stored hash of a token's secret.
///
/// A secret has 160 random bits, so a fast hash is as good as a slow one. Tokens made before 0.2 have a hash of
/// crypt(3), which is still accepted.
enum TokenSecret: Hashable, Sendable {
    /// SHA-256 of the secret's text.
    case sha256([UInt8])
    /// SHA-256-crypt with its salt, as in shadow(5).
    case crypt(String)

    private static let prefix = "sha256:"

    /// The hash of `secret`.
    init(of secret: String) {
        self = .sha256(Self.digest(secret))
    }

    /// The hash that `text` stores; nil when it is malformed.
    init?(stored text: String) {
        guard text.hasPrefix(Self.prefix) else {
            guard text.hasPrefix("$5$") else {
                return nil
            }
            self = .crypt(text)
            return
        }
        guard let bytes = [UInt8](hexadecimal: text.dropFirst(Self.prefix.utf8.count)),
            bytes.count == Int(GL_SHA256_SIZE)
        else {
            return nil
        }
        self = .sha256(bytes)
    }

    /// The text that is stored.
    var stored: String {
        switch self {
        case .sha256(let bytes):
            Self.prefix + bytes.hexadecimal
        case .crypt(let hash): hash
        }
    }

    /// Whether `secret` matches the hash `stored`. Takes as long when `stored` is nil, which nothing matches.
    ///
    /// With `mayBeCrypt` it takes as long for either kind of hash; set it while any token has a hash of crypt(3).
    static func matches(_ secret: String, _ stored: TokenSecret?, mayBeCrypt: Bool) -> Bool {
        var wanted = [UInt8](repeating: 0, count: Int(GL_SHA256_SIZE))
        var setting = dummySetting
        var isCrypt = false
        switch stored {
        case .sha256(let bytes)?: wanted = bytes
        case .crypt(let hash)?: (setting, isCrypt) = (hash, true)
        case nil: break
        }
        let isDigest = isEqual(digest(secret), wanted)
        let isHash = mayBeCrypt && isEqual(Array(crypted(secret, setting).utf8), Array(setting.utf8))
        return stored != nil && (isCrypt ? isHash : isDigest)
    }

    /// Costs as much as the stored crypt(3) hashes; no secret has this hash.
    private static let dummySetting = "$5$rounds=1000$0000000000000000$" + String(repeating: ".", count: 43)

    private static func digest(_ secret: String) -> [UInt8] {
        let text = Array(secret.utf8)
        var digest = [UInt8](repeating: 0, count: Int(GL_SHA256_SIZE))
        gl_sha256(text, text.count, &digest)
        return digest
    }

    private static func crypted(_ secret: String, _ setting: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(GL_HASH_SIZE)) { hash in
            gl_crypt(secret, setting, hash.baseAddress) ? hash.baseAddress.map { String(cString: $0) } ?? "" : ""
        }
    }

    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && gl_equal_in_constant_time(left, right, left.count)
    }
}
