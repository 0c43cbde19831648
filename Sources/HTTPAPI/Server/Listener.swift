// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1

/// A listener of the API and its access control.
public enum Listener: Sendable {
    /// The Unix socket: file permissions control who can connect, the kernel identifies the peer, and all access is
    /// allowed.
    case local
    case network(TCPListener)

    var isNetwork: Bool {
        if case .network = self { true } else { false }
    }
}

/// The settings of the TCP listener.
public struct TCPListener: Sendable {
    /// The TLS certificate and key; nil: no TLS, on the loopback only.
    public var identity: TLSIdentity?
    /// Whether clients without a token may read and type on consoles; on the loopback only.
    public var isAnonymous: Bool
    /// Allowed origins of web pages, such as `https://horizon.example.org`, besides the listener's own.
    public var origins: Set<String>

    public init(identity: TLSIdentity?, isAnonymous: Bool = false, origins: Set<String> = []) {
        self.identity = identity
        self.isAnonymous = isAnonymous
        self.origins = origins
    }

    /// The access of clients without a token, on an anonymous listener.
    static let anonymous = Access(scopes: [.read, .console], vms: .all)

    /// The URL scheme.
    var scheme: String { identity == nil ? "http" : "https" }

    /// Throws `APIError` 403 for a browser's request on behalf of a page of another origin (RFC 6454), or by a name
    /// that was rebound to this address (DNS rebinding).
    func checkOrigin(_ headers: HTTPHeaders) throws(APIError) {
        let host = headers.first(name: "Host") ?? ""
        // Host becomes part of URLs in responses.
        guard host.utf8.allSatisfy(Self.isHostByte) else {
            throw .badRequest("Host contains characters that a host name cannot have")
        }
        if isAnonymous, !Self.loopbackNames.contains(Self.name(ofHost: host)) {
            throw APIError(403, "Host: \(host) is not allowed: this listener is on the loopback only")
        }
        guard let origin = headers.first(name: "Origin"), !origins.contains(origin) else {
            return
        }
        guard origin == scheme + "://" + host else {
            throw APIError(
                403,
                "the origin \(origin) is not allowed; add it to api.origins in the configuration"
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

    private static func name(ofHost host: String) -> String {
        guard let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") else {
            return host
        }
        return String(host[..<colon])
    }

    /// The caller, authenticated by a token in `Authorization: Bearer` (RFC 6750) or, as in OpenStack, in
    /// `X-Auth-Token`.
    func caller(
        _ headers: HTTPHeaders,
        from address: SocketAddress?,
        tokens: TokenRegister,
        now: Timestamp
    ) throws(APIError) -> Caller {
        let suffix = address.map { " at \($0.ipAddress ?? "")" } ?? ""
        guard let text = Self.token(headers) else {
            guard isAnonymous else {
                throw APIError(
                    401,
                    "a token is required, in Authorization: Bearer; create one with 'guestlog token add'"
                )
            }
            return Caller(name: "anonymous" + suffix, access: Self.anonymous)
        }
        guard let caller = try tokens.caller(with: text, at: now) else {
            throw APIError(401, "the token is invalid: it is unknown, revoked or expired")
        }
        return Caller(name: caller.name + suffix, access: caller.access, token: caller.token, expires: caller.expires)
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
