// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import SystemIO

/// The settings of the API's TCP listener: the section `api` of the configuration.
public struct TCPListenerSettings: Hashable, Sendable {
    public let address: NetworkAddress
    /// The PEM files of the certificate chain and its key; nil: no TLS.
    public let certificate: String?
    public let key: String?
    /// Whether clients without a token are allowed.
    public let isAnonymous: Bool
    /// Allowed origins of web pages, besides the listener's own.
    public let origins: [String]

    /// Parses `section`; nil when it configures no listener.
    ///
    /// Without TLS or without tokens only the loopback is allowed.
    init?(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(["listen", "certificate", "key", "plain", "anonymous", "origins"])
        guard let text = try section.text("listen") else {
            try section.refuse(["certificate", "key", "plain", "anonymous", "origins"]) { _ in
                "has no effect without listen: add listen: ADDRESS:PORT"
            }
            return nil
        }
        guard let address = NetworkAddress(text) else {
            throw section.error(at: "listen", "\(text): must be ADDRESS:PORT, such as 0.0.0.0:8774 or [::1]:8774")
        }
        self.address = address
        certificate = try section.text("certificate")
        key = try section.text("key")
        isAnonymous = try section.flag("anonymous") ?? false
        origins = try section.texts("origins") ?? []
        if let origin = origins.first(where: { !Self.isOrigin($0) }) {
            throw section.error(
                at: "origins",
                "api.origins: no browser sends '\(origin)'; use SCHEME://HOST, or SCHEME://HOST:PORT when the port is not "
                    + "the scheme's default, in lower case and without a path"
            )
        }
        let isPlain = try section.flag("plain") ?? false
        guard isPlain == (certificate == nil), (certificate == nil) == (key == nil) else {
            throw section.error(
                at: "listen",
                "certificate and key (PEM files) are required; or plain: true, for the loopback without TLS"
            )
        }
        if !address.isLoopback, let flag = isPlain ? "plain" : isAnonymous ? "anonymous" : nil {
            throw section.error(
                at: flag,
                "\(flag): true is allowed on the loopback only: set listen to a port of 127.0.0.1 or [::1]"
            )
        }
    }

    /// Whether browsers write an origin like `text` (RFC 6454, section 6.2): they are compared byte by byte.
    private static func isOrigin(_ text: String) -> Bool {
        guard let match = text.wholeMatch(of: /([a-z][a-z0-9+.\-]*):\/\/(?:[^\/?#@:\s]+|\[[0-9a-f:.]+\])(:[0-9]+)?/)
        else {
            return false
        }
        let defaultPort = ["http": ":80", "https": ":443"][match.1]
        return text == text.lowercased() && (match.2 == nil || match.2.map(String.init) != defaultPort)
    }

    /// The listener. Throws `TLSIdentity.Unusable` when the certificate or the key cannot be used.
    func listener() throws -> TCPListener {
        var identity: TLSIdentity?
        if let certificate, let key {
            identity = try TLSIdentity(certificate: certificate, key: key)
        }
        return TCPListener(identity: identity, isAnonymous: isAnonymous, origins: Set(origins))
    }

    /// As shown by `config show`.
    var summary: String {
        let secrecy = certificate.map { "TLS by \($0)" } ?? "without TLS"
        return "\(address), \(secrecy), \(isAnonymous ? "without tokens" : "with tokens")"
    }
}
