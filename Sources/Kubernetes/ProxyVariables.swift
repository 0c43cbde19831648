// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import SystemIO

/// The proxies that environment variables name, by the rules of Go's net/http, which kubectl follows
/// (https://pkg.go.dev/golang.org/x/net/http/httpproxy).
struct ProxyVariables {
    private let variable: (String) -> String?

    /// `variable` returns the value of an environment variable.
    init(_ variable: @escaping (String) -> String? = { Environment[$0] }) {
        self.variable = variable
    }

    private func value(_ name: String) -> String? { variable(name) ?? variable(name.lowercased()) }

    /// The proxy for `server`; nil: none.
    func proxy(for server: HTTPEndpoint) throws(KubernetesError) -> HTTPEndpoint? {
        let name = server.isSecure ? "HTTPS_PROXY" : "HTTP_PROXY"
        guard let url = value(name), !isExcluded(server.address) else {
            return nil
        }
        return try Self.endpoint(url, of: name)
    }

    /// The proxy at `url`, which `name` sets. The message does not show it: it may have a password.
    static func endpoint(_ url: String, of name: String) throws(KubernetesError) -> HTTPEndpoint {
        guard let proxy = HTTPEndpoint(url.contains("://") ? url : "http://" + url), !proxy.isSecure else {
            throw KubernetesError("\(name) must be http://HOST:PORT; other proxies, such as SOCKS, are not supported")
        }
        return proxy
    }

    // MARK: - NO_PROXY

    /// Whether `server` is reached without a proxy: this host, and what `NO_PROXY` lists.
    private func isExcluded(_ server: NetworkPeer) -> Bool {
        guard case .network(let name, let port) = server else {
            return true
        }
        let host = name.lowercased()
        let address = Self.address(host)
        guard host != "localhost", address?.first != 127 || address?.count != 4, host != "::1" else {
            return true
        }
        return (value("NO_PROXY") ?? "").split(separator: ",").contains { word in
            Self.matches(word.lowercased().filter { $0 != " " }, host, address, port)
        }
    }

    /// Whether an entry of `NO_PROXY` stands for a host: `*`, `10.0.0.0/8`, an address, `example.com` with its subdomains,
    /// `.example.com` without that one; the latter three with a port too.
    private static func matches(_ word: String, _ host: String, _ address: [UInt8]?, _ port: UInt16) -> Bool {
        if word == "*" {
            return true
        }
        if let slash = word.firstIndex(of: "/") {
            guard let network = Self.address(String(word[..<slash])), let address, address.count == network.count,
                let length = Int(word[word.index(after: slash)...]), (0...network.count * 8).contains(length)
            else {
                return false
            }
            return (0..<length).allSatisfy { bit($0, of: address) == bit($0, of: network) }
        }
        guard Self.address(word) == nil else {
            return Self.address(word) == address
        }
        guard case .network(let name, let onlyPort)? = NetworkPeer(word, defaultPort: 0),
            onlyPort == 0 || onlyPort == port
        else {
            return false
        }
        if let own = Self.address(name) {
            return own == address
        }
        let domain = name.hasPrefix("*.") ? String(name.dropFirst()) : name
        return domain.hasPrefix(".") ? host.hasSuffix(domain) : host == domain || host.hasSuffix("." + domain)
    }

    private static func bit(_ index: Int, of bytes: [UInt8]) -> UInt8 { bytes[index / 8] >> UInt8(7 - index % 8) & 1 }

    /// The bytes of an IP address; nil for a name.
    private static func address(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            return withUnsafeBytes(of: four) { Array($0) }
        }
        var six = in6_addr()
        return inet_pton(AF_INET6, text, &six) == 1 ? withUnsafeBytes(of: six) { Array($0) } : nil
    }
}
