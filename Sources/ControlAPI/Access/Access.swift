import Glibc
public import LogModel
import SystemIO

/// What somebody may do, and to which VMs.
public struct Access: Hashable, Sendable {
    /// A kind of things to do.
    public enum Scope: String, CaseIterable, Sendable {
        /// See what guests have said and how they are.
        case read
        /// Be on a console, and type.
        case console
        /// All of that, and let go of consoles and VMs.
        case admin

        /// The names of all, as they stand in a sentence.
        static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
    }

    /// The kinds.
    public let scopes: Set<Scope>
    /// The VMs. What concerns all of them is only for whoever may see all.
    public let vms: VMPattern

    /// Everything.
    public static let all = Access(scopes: [.admin], vms: .all)

    /// Access from its parts.
    public init(scopes: Set<Scope>, vms: VMPattern) {
        self.scopes = scopes
        self.vms = vms
    }

    /// Whether it allows what is of that kind.
    public func permits(_ scope: Scope) -> Bool {
        scopes.contains(scope) || scopes.contains(.admin)
    }
}

/// Who asks, as far as is known, and what they may.
struct Caller: Sendable {
    /// In words, for the record.
    let name: String
    let access: Access
    /// Where they come from.
    let origin: Origin
    /// Until when they may stay; nil: as long as they like.
    let expires: Timestamp?
    /// What limits count them by.
    let client: Client

    /// Where somebody comes from.
    enum Origin: Sendable {
        /// From this host, by the Unix socket; the user, as far as the kernel could tell.
        case local(user: UInt32?)
        /// From the network, with the token of that id; nil: without one, where none is needed.
        case network(token: String?)
    }

    /// A process on this host, which the Unix socket's permissions have let in.
    init(_ peer: PeerCredentials?) {
        name = peer.map { "user \($0.user) (process \($0.process))" } ?? "somebody"
        access = .all
        origin = .local(user: peer?.user)
        expires = nil
        client = .user(peer?.user)
    }

    /// Somebody who came over the network.
    init(name: String, access: Access, token: String? = nil, expires: Timestamp? = nil) {
        self.expires = expires
        self.name = name
        self.access = access
        origin = .network(token: token)
        client = token.map { .token($0) } ?? .anonymous
    }

    /// Refuses what is not theirs to do.
    func require(_ scope: Access.Scope) throws(APIError) {
        guard access.permits(scope) else {
            throw APIError(403, "\(name) may not do this; the scope \(scope.rawValue) is needed")
        }
    }

    /// Whether it is this host's root or the daemon's own user, who may do what the daemon itself may.
    var isDaemonsOwn: Bool {
        if case .local(let user?) = origin { user == 0 || user == geteuid() } else { false }
    }

    /// Whether they are on this host.
    var isLocal: Bool {
        if case .local = origin { true } else { false }
    }

    /// The id of the token they came with, if they did.
    var token: String? {
        if case .network(let token) = origin { token } else { nil }
    }
}
