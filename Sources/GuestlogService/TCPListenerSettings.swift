import ControlAPI
import SystemIO

/// The API's listener of TCP, as the section `api` of the configuration tells it.
public struct TCPListenerSettings: Hashable, Sendable {
    /// Where it listens.
    public let address: NetworkAddress
    /// The PEM files of the certificate chain and its key; nil: there is no TLS.
    public let certificate: String?
    public let key: String?
    /// Whether anybody may come without a token.
    public let isAnonymous: Bool
    /// Origins of web pages that may come besides its own.
    public let origins: [String]

    /// The listener that `section` tells; nil when it tells none.
    ///
    /// What guests say, and their consoles, never go over a network unencrypted, nor to whoever asks.
    init?(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(["listen", "certificate", "key", "plain", "anonymous", "origins"])
        guard let place = try section.text("listen") else {
            return nil
        }
        guard let address = NetworkAddress(place) else {
            throw section.error(at: "listen", "\(place): ADDRESS:PORT was expected, as 0.0.0.0:8774 or [::1]:8774")
        }
        self.address = address
        certificate = try section.text("certificate")
        key = try section.text("key")
        isAnonymous = try section.flag("anonymous") ?? false
        origins = try section.texts("origins") ?? []
        let isPlain = try section.flag("plain") ?? false
        guard isPlain == (certificate == nil), (certificate == nil) == (key == nil) else {
            throw section.error(
                at: "listen",
                "certificate and key, PEM files, are needed; or plain: true, to go without TLS on the loopback"
            )
        }
        if !address.isLoopback, let flag = isPlain ? "plain" : isAnonymous ? "anonymous" : nil {
            throw section.error(at: flag, "only the loopback may be \(flag): listen at 127.0.0.1 or [::1]")
        }
    }

    /// What it asks of those who come. Throws `TLSIdentity.Unusable` when the certificate or the key is.
    func listener() throws -> TCPListener {
        var identity: TLSIdentity?
        if let certificate, let key {
            identity = try TLSIdentity(certificate: certificate, key: key)
        }
        return TCPListener(identity: identity, isAnonymous: isAnonymous, origins: Set(origins))
    }

    /// In words, as `config show` has it.
    var words: String {
        let secrecy = certificate.map { "TLS by \($0)" } ?? "without TLS"
        return "\(address), \(secrecy), \(isAnonymous ? "without tokens" : "with tokens")"
    }
}

extension NovaOptions {
    /// The options that the section `openstack` of the configuration tells.
    init(_ section: ConfigurationReader) throws(ConfigurationError) {
        self.init()
        try section.allow(["console-url", "console-life", "console-output"])
        if let address = try section.text("console-url") {
            guard address.hasPrefix("ws://") || address.hasPrefix("wss://"), !address.contains("?") else {
                throw section.error(
                    at: "console-url",
                    "\(address): an address ws://… or wss://… without ? was expected"
                )
            }
            consoleURL = address
        }
        consoleLife = try section.duration("console-life") ?? consoleLife
        if let word = try section.text("console-output") {
            guard let rules = NovaOutputRules(rawValue: word) else {
                let known = NovaOutputRules.allCases.map(\.rawValue).joined(separator: ", ")
                throw section.error(at: "console-output", "\(word) are no rules; there are \(known)")
            }
            output = rules
        }
    }
}
