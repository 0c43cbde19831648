// SPDX-License-Identifier: Apache-2.0

import Glibc
public import LogModel
import SystemIO

/// What a caller may do, and on which VMs.
public struct Access: Hashable, Sendable {
    public enum Scope: String, CaseIterable, Sendable {
        /// Read logs and states.
        case read
        /// Join a console and type on it.
        case console
        /// All of that, and remove consoles and end VMs.
        case admin

        /// All names, separated by commas.
        public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
    }

    public let scopes: Set<Scope>
    /// The VMs. Requests that concern all VMs need access to all of them.
    public let vms: VMPattern

    /// Every scope on every VM.
    static let all = Access(scopes: [.admin], vms: .all)

    public init(scopes: Set<Scope>, vms: VMPattern) {
        self.scopes = scopes
        self.vms = vms
    }

    /// Whether the access includes `scope`.
    func permits(_ scope: Scope) -> Bool {
        scopes.contains(scope) || scopes.contains(.admin)
    }
}

/// The sender of a request and its access.
struct Caller: Sendable {
    /// A description for log messages.
    let name: String
    let access: Access
    let origin: Origin
    /// When the access ends; nil: never.
    let expires: Timestamp?
    /// The client that limits are counted for.
    let client: Client

    enum Origin: Sendable {
        /// From this host, by the Unix socket; the user, where the kernel reports it.
        case local(user: UInt32?)
        /// From the network, with the token of that id; nil: without a token, on an anonymous listener.
        case network(token: String?)
    }

    /// A process on this host that the Unix socket's permissions admit.
    init(_ peer: PeerCredentials?) {
        name = PeerCredentials.description(of: peer)
        access = .all
        origin = .local(user: peer?.user)
        expires = nil
        client = .user(peer?.user)
    }

    /// A client on the network.
    init(name: String, access: Access, token: String? = nil, expires: Timestamp? = nil) {
        self.expires = expires
        self.name = name
        self.access = access
        origin = .network(token: token)
        client = token.map { .token($0) } ?? .anonymous
    }

    /// The sender of a request that everyone may send.
    static let unidentified = Caller(name: "unidentified", access: Access(scopes: [], vms: VMPattern([])))

    /// Throws `APIError` 403 unless the caller has `scope`.
    func require(_ scope: Access.Scope) throws(APIError) {
        guard access.permits(scope) else {
            throw APIError(403, "\(name) is not allowed to do this: the scope \(scope.rawValue) is required")
        }
    }

    /// Whether the caller is root or the daemon's own user, who have the daemon's own access.
    var isDaemonsOwn: Bool {
        if case .local(let user?) = origin { user == 0 || user == geteuid() } else { false }
    }

    var isLocal: Bool {
        if case .local = origin { true } else { false }
    }

    /// The id of the token the caller presented.
    var token: String? {
        if case .network(let token) = origin { token } else { nil }
    }
}
