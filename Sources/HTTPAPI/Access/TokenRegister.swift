// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
public import LogStore
import Synchronization
import SystemIO

/// The API tokens, stored in the file `access/tokens.json` of the store.
///
/// Only the daemon writes the file. A change is on disk before the call that makes it returns.
public final class TokenRegister: Sendable {
    private let folder: String
    private let fileSystem: any FileSystem
    private let tokens: Mutex<[AccessToken]>
    /// Held while the file is written, so that lookups do not wait for the disk.
    private let changing = Mutex(())
    /// Why the file cannot be used; then no token is valid and none can be made.
    public let damage: (any Error)?

    private static let file = "tokens.json"
    /// Maximum number of tokens.
    static let limit = 1000
    /// Maximum size of a token's name, in bytes.
    static let longestName = 200

    /// The file exists and is not a valid token file.
    public struct Damaged: Error, CustomStringConvertible {
        public var path: String

        public var description: String {
            "\(path) is damaged, so no token is valid; restore it, or move it away, restart the daemon and create new tokens "
                + "with 'guestlog token add'"
        }
    }

    /// The register of `store`; empty when there is no file.
    public init(in store: Store) {
        folder = store.root + "/access"
        fileSystem = store.fileSystem
        let path = folder + "/" + Self.file
        let stored = Result { try Self.read(path, store.fileSystem) }
        tokens = Mutex((try? stored.get()) ?? [])
        damage = if case .failure(let error) = stored { error } else { nil }
    }

    /// A register without tokens, for a server whose routes everyone may use.
    init() {
        folder = ""
        fileSystem = LinuxFileSystem()
        tokens = Mutex([])
        damage = nil
    }

    private static func read(_ path: String, _ fileSystem: any FileSystem) throws -> [AccessToken] {
        guard let bytes = try fileSystem.contents(of: path, limit: LinuxFileSystem.tableLimit) else {
            return []
        }
        guard let elements = (try? JSON(parsing: bytes))?["tokens"]?.elements else {
            throw Damaged(path: path)
        }
        let stored = elements.compactMap { AccessToken(storedJSON: $0) }
        guard stored.count == elements.count else {
            throw Damaged(path: path)
        }
        return stored
    }

    /// The caller that presents the token `text`; nil when the token is invalid at `now`. The time taken does not
    /// reveal whether a token of that id exists. Throws `APIError` 503 when the file is damaged.
    func caller(with text: String, at now: Timestamp) throws(APIError) -> Caller? {
        guard damage == nil else {
            throw APIError(503, "tokens cannot be checked: the token file is damaged; see 'guestlog status'")
        }
        guard let (id, secret) = AccessToken.parts(of: text) else {
            return nil
        }
        let found = Self.token(id, in: all)
        let isRight = TokenSecret.matches(secret, found?.secret)
        guard isRight, let token = found, token.isCurrent(at: now) else {
            return nil
        }
        let name = token.name.isEmpty ? "token \(id)" : "token \(id) (\(token.name))"
        return Caller(name: name, access: token.access, token: id, expires: token.expires)
    }

    /// The token of that id. Compares with all of them, so that the time taken does not depend on its place.
    private static func token(_ id: String, in all: [AccessToken]) -> AccessToken? {
        let wanted = Array(id.utf8)
        var found: AccessToken?
        for token in all {
            let own = Array(token.id.utf8)
            if own.count == wanted.count, gl_equal_in_constant_time(own, wanted, own.count) {
                found = token
            }
        }
        return found
    }

    /// Whether the caller's token is still valid at `now`.
    func stillAdmits(_ caller: Caller, at now: Timestamp) -> Bool {
        guard let id = caller.token else {
            return true
        }
        return tokens.withLock { $0.first { $0.id == id } }?.isCurrent(at: now) ?? false
    }

    /// The id that `word` names: itself, or the id in a token, which is all that one has of a leaked one.
    public static func id(in word: String) -> String { AccessToken.id(in: word) }

    /// All tokens, oldest first.
    var all: [AccessToken] { tokens.withLock { $0 } }

    /// Creates a token and returns its text, which is not stored.
    func add(
        name: String,
        access: Access,
        now: Timestamp,
        expires: Timestamp?
    ) throws -> (token: AccessToken, text: String) {
        let (token, text) = AccessToken.make(name: name, access: access, created: now, expires: expires)
        try change { tokens throws(APIError) in
            guard tokens.count < Self.limit else {
                throw .conflict("there are \(Self.limit) tokens, the maximum; revoke unused ones")
            }
            tokens.append(token)
        }
        return (token, text)
    }

    /// Revokes a token; false when there is none of that id.
    func revoke(_ id: String) throws -> Bool {
        var isThere = false
        try change { tokens in
            isThere = tokens.contains { $0.id == id }
            tokens.removeAll { $0.id == id }
        }
        return isThere
    }

    private func change(_ body: (inout [AccessToken]) throws -> Void) throws {
        if let damage {
            throw APIError(500, "\(damage)")
        }
        try changing.withLock { _ in
            var changed = all
            try body(&changed)
            try fileSystem.makeDirectory(folder)
            let text = JSON.object([("tokens", .array(changed.map(\.storedJSON)))])
            try fileSystem.replace(Self.file, in: folder, with: text.bytes + [Lines.feed])
            tokens.withLock { $0 = changed }
        }
    }
}
