// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A stored token: its access and a hash of its secret.
///
/// The token text, `gl_ID_SECRET`, is shown once and is not stored. ID has 8 and SECRET 40 hexadecimal digits: 160 bits
/// from the kernel's random number generator.
struct AccessToken: Hashable, Sendable {
    let id: String
    /// A label; may be empty.
    let name: String
    let access: Access
    let created: Timestamp
    let expires: Timestamp?
    let secret: TokenSecret

    private static let prefix = "gl"
    private static let idDigits = 8
    private static let secretDigits = 40

    static func make(
        name: String,
        access: Access,
        created: Timestamp,
        expires: Timestamp?
    ) -> (AccessToken, text: String) {
        let (id, secret) = (randomDigits(idDigits), randomDigits(secretDigits))
        let token = AccessToken(
            id: id,
            name: name,
            access: access,
            created: created,
            expires: expires,
            secret: TokenSecret(of: secret)
        )
        return (token, [prefix, id, secret].joined(separator: "_"))
    }

    /// The id and the secret in the token text `text`; nil when it is malformed.
    static func parts(of text: String) -> (id: String, secret: String)? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == prefix, parts[1].utf8.count == idDigits, parts[2].utf8.count == secretDigits
        else {
            return nil
        }
        return (String(parts[1]), String(parts[2]))
    }

    /// The id that `word` names: of a token, also of the beginning of one, the id in it.
    static func id(in word: String) -> String {
        let parts = word.split(separator: "_", omittingEmptySubsequences: false)
        return parts.count > 1 && parts[0] == prefix ? String(parts[1]) : word
    }

    /// Whether `word` may be shown: an id is no secret, and is no longer than this.
    static func mayBeID(_ word: String) -> Bool { word.utf8.count <= idDigits }

    func isCurrent(at now: Timestamp) -> Bool { expires.map { now < $0 } ?? true }

    private static func randomDigits(_ count: Int) -> String {
        (0..<count / 2).map { _ in UInt8.random(in: 0...255) }.hexadecimal
    }
}

// MARK: - JSON

extension AccessToken {
    /// What the API returns: everything but the hash.
    var publicJSON: JSON {
        .object(
            facts + [
                ("created", .string(created.description)),
                ("expires", expires.map { .string($0.description) } ?? .null),
            ]
        )
    }

    /// What the file stores; times in microseconds since 1970.
    var storedJSON: JSON {
        let times: [(String, JSON)] = [
            ("created", .integer(created.microseconds)),
            ("expires", expires.map { .integer($0.microseconds) } ?? .null),
        ]
        return .object(facts + times + [("hash", .string(secret.stored))])
    }

    private var facts: [(String, JSON)] {
        [
            ("id", .string(id)), ("name", .string(name)),
            ("scopes", .array(access.scopes.map(\.rawValue).sorted().map { .string($0) })),
            ("vms", .array(access.vms.words.map { .string($0) })),
        ]
    }

    /// The token stored as `json`; nil when a member is missing or malformed.
    init?(storedJSON json: JSON) {
        guard let id = json["id"]?.text, let secret = json["hash"]?.text.flatMap(TokenSecret.init(stored:)),
            let name = json["name"]?.text,
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
            secret: secret
        )
    }
}

extension Access {
    /// The access in the members `scopes` and `vms` of `json`; nil when they are missing or malformed.
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
