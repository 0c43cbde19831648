// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A server that speaks HTTP: from a URL such as `https://logs.example:9200/base`, or a Unix socket.
public struct HTTPEndpoint: Hashable, Sendable, CustomStringConvertible {
    public let address: NetworkPeer
    /// Whether TLS is used.
    public let isSecure: Bool
    /// The path that precedes that of each request; without a slash at its end, so empty for the root.
    public private(set) var path: String
    /// The value of `Authorization` for the user and password in the URL; nil when it has none.
    public let authorization: String?

    /// Parses `url`, whose scheme is `http` or `https`; nil when it is malformed. A query or a fragment is malformed.
    public init?(_ url: String) {
        let schemes = [("http://", false, UInt16(80)), ("https://", true, UInt16(443))]
        guard let (scheme, isSecure, port) = schemes.first(where: { url.lowercased().hasPrefix($0.0) }) else {
            return nil
        }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        guard !path.contains("?"), !path.contains("#"), !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
            return nil
        }
        var host = authority[...]
        var authorization: String?
        if let at = authority.lastIndex(of: "@") {
            guard let user = PercentEncoding.decode(authority[..<at]) else {
                return nil
            }
            authorization = Self.basic(user)
            host = authority[authority.index(after: at)...]
        }
        guard !host.contains("?"), !host.contains("#"), let peer = NetworkPeer(host, defaultPort: port) else {
            return nil
        }
        address = peer
        self.isSecure = isSecure
        self.path = String(path.hasSuffix("/") ? path.dropLast() : path)
        self.authorization = authorization
    }

    /// The server at the Unix socket `path`.
    public init(unixSocket path: String) {
        address = .unix(path)
        isSecure = false
        self.path = ""
        authorization = nil
    }

    /// The same server with what precedes `part` in its path; nil when the path does not contain it.
    public func endpoint(before part: String) -> HTTPEndpoint? {
        guard let range = path.firstRange(of: part) else {
            return nil
        }
        var base = self
        base.path = String(path[..<range.lowerBound])
        return base
    }

    /// The value of `Authorization` for `user:password` (RFC 7617).
    public static func basic(_ user: [UInt8]) -> String {
        var text = Array("Basic ".utf8)
        user.withUnsafeBytes { Base64.append($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The value of the field `Host`.
    var hostField: String {
        guard case .network(let host, let port) = address else {
            return "localhost"
        }
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The URL, without user and password.
    public var description: String {
        if case .unix(let path) = address {
            return path
        }
        return (isSecure ? "https://" : "http://") + hostField + path
    }
}

/// Where a connection leads: a TCP port of a host, by name or address, or a Unix socket.
public enum NetworkPeer: Hashable, Sendable, CustomStringConvertible {
    case network(host: String, port: UInt16)
    case unix(String)

    /// Parses `HOST`, `HOST:PORT`, `[IPV6]:PORT`; nil when it is malformed, or has no port and `defaultPort` is nil.
    public init?(_ text: some StringProtocol, defaultPort: UInt16? = nil) {
        var host = String(text)
        var port = defaultPort
        let isBracketed = host.hasPrefix("[")
        if let colon = host.lastIndex(of: ":"), isBracketed ? host[..<colon].hasSuffix("]") : true {
            guard let number = UInt16(host[host.index(after: colon)...]) else {
                return nil
            }
            port = number
            host = String(host[..<colon])
        }
        if isBracketed {
            guard host.hasSuffix("]") else {
                return nil
            }
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard let port, !host.isEmpty, host.utf8.count <= 255,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        else {
            return nil
        }
        self = .network(host: host, port: port)
    }

    public var description: String {
        switch self {
        case .network(let host, let port): (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        case .unix(let path): path
        }
    }
}
