import LogModel
import NIOCore
import NIOHTTP1

/// A way in to the API, and what is asked of those who come by it.
public enum Listener: Sendable {
    /// The Unix socket: its permissions say who may come, the kernel says who has, and they may do all.
    case local
    /// TCP.
    case network(TCPListener)

    var isNetwork: Bool {
        if case .network = self { true } else { false }
    }
}

/// The TCP listener.
public struct TCPListener: Sendable {
    /// What TLS shows; nil: there is no TLS, and the listener is on the loopback alone.
    public var identity: TLSIdentity?
    /// Whether anybody may come without a token, to read and to write on consoles; on the loopback alone.
    public var isAnonymous: Bool
    /// Web pages' origins, as in `https://horizon.example.org`, that may come besides those of this listener's own.
    public var origins: Set<String>

    /// A listener from its parts.
    public init(identity: TLSIdentity?, isAnonymous: Bool = false, origins: Set<String> = []) {
        self.identity = identity
        self.isAnonymous = isAnonymous
        self.origins = origins
    }

    /// What somebody may do who has no token, where none is needed.
    static let anonymous = Access(scopes: [.read, .console], vms: .all)

    /// The scheme of its addresses.
    var scheme: String { identity == nil ? "http" : "https" }

    /// Refuses what a browser sends for a page from elsewhere: pages must not use what their reader can reach, be it by
    /// another origin (RFC 6454) or by a name that was turned to this address (DNS rebinding).
    func checkOrigin(_ headers: HTTPHeaders) throws(APIError) {
        let host = headers.first(name: "Host") ?? ""
        // It goes into addresses that are handed out.
        guard host.utf8.allSatisfy(Self.isHostByte) else {
            throw .badRequest("Host holds what no host's name does")
        }
        if isAnonymous, !Self.loopbackNames.contains(Self.name(ofHost: host)) {
            throw APIError(403, "Host: \(host) is not this listener's: it is on the loopback alone")
        }
        guard let origin = headers.first(name: "Origin"), !origins.contains(origin) else {
            return
        }
        guard origin == scheme + "://" + host else {
            throw APIError(
                403,
                "pages of \(origin) may not come here; the configuration's api.origins names those that may"
            )
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static let loopbackNames: Set = ["127.0.0.1", "[::1]", "localhost"]

    /// The host without its port.
    private static func name(ofHost host: String) -> String {
        guard let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") else {
            return host
        }
        return String(host[..<colon])
    }

    /// Who asks: by a token in `Authorization: Bearer` (RFC 6750) or, as OpenStack has it, in `X-Auth-Token`.
    func caller(
        _ headers: HTTPHeaders,
        from address: SocketAddress?,
        tokens: TokenRegister,
        now: Timestamp
    ) throws(APIError) -> Caller {
        let place = address.map { " at \($0.ipAddress ?? "")" } ?? ""
        guard let text = Self.token(headers) else {
            guard isAnonymous else {
                throw APIError(401, "a token is needed, in Authorization: Bearer; guestlog token add makes one")
            }
            return Caller(name: "somebody" + place, access: Self.anonymous)
        }
        guard let caller = try tokens.caller(with: text, at: now) else {
            throw APIError(401, "the token is invalid: it is unknown, revoked or expired")
        }
        return Caller(name: caller.name + place, access: caller.access, token: caller.token, expires: caller.expires)
    }

    private static func token(_ headers: HTTPHeaders) -> String? {
        if let token = headers.first(name: "X-Auth-Token") {
            return token
        }
        guard let words = headers.first(name: "Authorization")?.split(separator: " "), words.count == 2,
            words[0].lowercased() == "bearer"
        else {
            return nil
        }
        return String(words[1])
    }
}
