import CLinux
import Glibc
import LogModel

/// A token as it is kept: what it allows, and the hash by which its secret is known again.
///
/// The token itself, `gl_ID_SECRET`, is told once and kept nowhere. ID is 8 and SECRET 40 hexadecimal digits, 160 bits
/// of the kernel's randomness, so that a fast hash is as good as a slow one.
struct AccessToken: Hashable, Sendable {
    let id: String
    /// What people call it; may be empty.
    let name: String
    let access: Access
    let created: Timestamp
    let expires: Timestamp?
    /// As in shadow(5): SHA-256-crypt with its salt.
    private let hash: String

    private static let prefix = "gl"
    private static let idDigits = 8
    private static let secretDigits = 40
    /// The least that the scheme allows (crypt(5)).
    private static let rounds = 1000

    /// A new token, and its text.
    static func make(
        name: String,
        access: Access,
        created: Timestamp,
        expires: Timestamp?
    ) throws(APIError) -> (AccessToken, text: String) {
        let (id, secret) = (randomDigits(idDigits), randomDigits(secretDigits))
        guard let hash = hashed(secret, like: "$5$rounds=\(rounds)$\(randomDigits(16))$") else {
            throw APIError(500, "crypt(3) does not know SHA-256 here")
        }
        let token = AccessToken(
            id: id,
            name: name,
            access: access,
            created: created,
            expires: expires,
            hash: hash
        )
        return (token, [prefix, id, secret].joined(separator: "_"))
    }

    /// The id and the secret of the token `text`; nil when it is none.
    static func parts(of text: String) -> (id: String, secret: String)? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == prefix, parts[1].utf8.count == idDigits, parts[2].utf8.count == secretDigits
        else {
            return nil
        }
        return (String(parts[1]), String(parts[2]))
    }

    /// Whether this token's secret is `secret`, and counts at `now`.
    func isOpened(by secret: String, at now: Timestamp) -> Bool {
        isCurrent(at: now) && Self.hashed(secret, like: hash) == hash
    }

    /// Whether it has not expired.
    func isCurrent(at now: Timestamp) -> Bool { expires.map { now < $0 } ?? true }

    private static func randomDigits(_ count: Int) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<count).map { _ in digits[Int.random(in: 0..<digits.count)] }, as: UTF8.self)
    }

    /// `secret` hashed by the scheme and with the salt that `setting` begins with (crypt(3)).
    private static func hashed(_ secret: String, like setting: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(GL_HASH_SIZE)) { room in
            gl_crypt(secret, setting, room.baseAddress) ? room.baseAddress.map { String(cString: $0) } : nil
        }
    }
}

// MARK: - As it is told and kept

extension AccessToken {
    /// What may be told of it.
    var told: JSON {
        .object(
            facts + [
                ("created", .string(created.description)),
                ("expires", expires.map { .string($0.description) } ?? .null),
            ]
        )
    }

    /// What is kept of it; times in microseconds since 1970.
    var kept: JSON {
        let times: [(String, JSON)] = [
            ("created", .integer(created.microseconds)),
            ("expires", expires.map { .integer($0.microseconds) } ?? .null),
        ]
        return .object(facts + times + [("hash", .string(hash))])
    }

    private var facts: [(String, JSON)] {
        [
            ("id", .string(id)), ("name", .string(name)),
            ("scopes", .array(access.scopes.map(\.rawValue).sorted().map { .string($0) })),
            ("vms", .array(access.vms.words.map { .string($0) })),
        ]
    }

    /// The token that `kept` tells of; nil when something in it is not as it should be.
    init?(kept json: JSON) {
        guard let id = json["id"]?.text, let hash = json["hash"]?.text, let name = json["name"]?.text,
            let access = Access(json), let created = json["created"]?.integer, let expires = json["expires"],
            expires == .null || expires.integer != nil
        else {
            return nil
        }
        self.init(
            id: id,
            name: name,
            access: access,
            created: Timestamp(microseconds: created),
            expires: expires.integer.map { Timestamp(microseconds: $0) },
            hash: hash
        )
    }
}

extension Access {
    /// The access that `scopes` and `vms` of `json` tell; nil when they do not tell any.
    init?(_ json: JSON) {
        let scopes = json["scopes"]?.elements?.map { $0.text.flatMap(Scope.init) }
        let words = json["vms"]?.elements?.map(\.text)
        guard let scopes, let words, !scopes.isEmpty, !words.isEmpty, !scopes.contains(nil), !words.contains(nil),
            words.count <= VMPattern.limit,
            words.allSatisfy({ ($0 ?? "").utf8.count <= VMPattern.longestWord })
        else {
            return nil
        }
        self.init(scopes: Set(scopes.compactMap(\.self)), vms: VMPattern(words.compactMap(\.self)))
    }
}
