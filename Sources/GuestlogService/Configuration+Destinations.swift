// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import Outputs
import SystemIO

/// The types of outputs in the configuration, and the keys of each.
enum DestinationType: String, CaseIterable {
    case syslog, otlp, elasticsearch, loki, forward, file, stdout

    private static let httpKeys = ["url", "token-file", "headers", "proxy", "compress", "tls"]

    /// The keys besides those of every output.
    var keys: [String] {
        switch self {
        case .syslog: ["to", "format", "facility", "tls"]
        case .otlp: Self.httpKeys + ["encoding"]
        case .elasticsearch: Self.httpKeys + ["index"]
        case .loki: Self.httpKeys + ["labels", "tenant"]
        case .forward: ["servers", "mode", "tag", "tls", "shared-key-file", "user", "password-file", "hostname"]
        case .file: ["path", "format"]
        case .stdout: ["format"]
        }
    }

    static let keysByType = KeysByKind(
        common: [
            "name", "type", "vms", "streams", "severity", "fields", "redact", "from", "boots", "batch", "interval",
        ],
        kinds: allCases.map { ("type: \($0.rawValue)", $0.keys) }
    )

    func destination(_ section: ConfigurationReader) throws(ConfigurationError) -> DestinationSettings {
        switch self {
        case .syslog: return .syslog(try SyslogSettings(section))
        case .otlp: return .otlp(try OTLPSettings(section))
        case .elasticsearch: return .elasticsearch(try ElasticsearchSettings(section))
        case .loki: return .loki(try LokiSettings(section))
        case .forward: return .forward(try ForwardSettings(section))
        case .file:
            guard let path = try section.absolutePath("path") else {
                throw section.error(at: nil, "path is missing: a file such as /var/log/guests/{vm}.log")
            }
            if let word = path.firstMatch(of: /\{(?!vm\}|stream\})[^}\/]*\}/) {
                throw section.error(
                    at: "path",
                    "\(section.name(of: "path")): unknown placeholder \(word.0); use {vm} or {stream}"
                )
            }
            return .file(FileSettings(.path(path), format: try section.word("format") ?? .ndjson))
        case .stdout:
            return .file(FileSettings(.standardOutput, format: try section.word("format") ?? .ndjson))
        }
    }
}

extension ConfigurationReader {
    /// A word of a fixed set.
    func word<Word: RawRepresentable & CaseIterable>(
        _ key: String
    ) throws(ConfigurationError) -> Word? where Word.RawValue == String {
        guard let text = try text(key) else {
            return nil
        }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(at: key, "\(name(of: key)): unknown word \(text); use one of \(known)")
        }
        return word
    }

    /// A secret in a file: bytes of any kind.
    func secret(_ key: String) throws(ConfigurationError) -> [UInt8]? {
        guard let path = try absolutePath(key) else {
            return nil
        }
        do throws(SystemError) {
            return try SecretFile.contents(of: path)
        } catch {
            throw self.error(at: key, "\(name(of: key)): \(error)")
        }
    }

    /// The section `tls` of an output: nil when it is absent.
    func tls() throws(ConfigurationError) -> TLSClientSettings? {
        guard has("tls") else {
            return nil
        }
        let section = try section("tls")
        try section.allow(["ca", "certificate", "key", "server-name", "verify"])
        var settings = TLSClientSettings()
        settings.authorities = try section.absolutePath("ca").map { .file($0) }
        settings.certificate = try section.absolutePath("certificate").map { .file($0) }
        settings.key = try section.absolutePath("key").map { .file($0) }
        settings.serverName = try section.text("server-name")
        settings.isUnverified = try section.flag("verify") == false
        guard (settings.certificate == nil) == (settings.key == nil) else {
            throw section.error(at: nil, "certificate and key are required together: set both, as PEM files")
        }
        return settings
    }

    /// A host and a port.
    fileprivate func peer(_ key: String, _ text: some StringProtocol, port: UInt16?) throws(ConfigurationError)
        -> NetworkPeer
    {
        guard let peer = NetworkPeer(text, defaultPort: port) else {
            throw error(
                at: key,
                "\(name(of: key)): \(text): must be HOST:PORT, such as logs.example:24224 or [::1]:24224"
            )
        }
        return peer
    }
}

extension HTTPOutputSettings {
    fileprivate init(_ section: ConfigurationReader, example: String) throws(ConfigurationError) {
        guard let url = try section.text("url") else {
            throw section.error(at: nil, "an output of this type requires a url, such as \(example)")
        }
        guard let endpoint = HTTPEndpoint(url) else {
            // It is not repeated here, because it may have a password in it.
            let form = "with http:// or https://, a host, and a port up to 65535 if one is given, such as \(example)"
            throw section.error(at: "url", "\(section.name(of: "url")): an output of this type requires a url \(form)")
        }
        self.init(endpoint)
        tls = try section.tls() ?? tls
        if !endpoint.isSecure {
            try section.refuse(["tls"]) { _ in "has no effect on \(endpoint): use https:// in url" }
        }
        tokenFile = try section.absolutePath("token-file")
        for (name, value) in try section.pairs("headers") {
            if let fault = HTTPFieldRules.fault(inName: name, value: value) {
                throw try section.section("headers").error(at: name, "\(section.name(of: "headers")): \(fault)")
            }
            headers[name] = value
        }
        try checkAuthorization(section)
        if let text = try section.text("proxy") {
            guard let proxy = HTTPEndpoint(text), !proxy.isSecure, proxy.path.isEmpty else {
                throw section.error(at: "proxy", "\(section.name(of: "proxy")): must be http://HOST:PORT")
            }
            self.proxy = proxy
        }
        compresses = try section.flag("compress") ?? true
    }

    /// Throws where two keys set `Authorization`: one would have no effect.
    private func checkAuthorization(_ section: ConfigurationReader) throws(ConfigurationError) {
        let isHeader = headers.keys.contains { $0.lowercased() == "authorization" }
        let sources = [
            (isSet: endpoint.authorization != nil, key: "url", words: "user and password in url"),
            (isSet: isHeader, key: "headers", words: "the header Authorization"),
            (isSet: tokenFile != nil, key: "token-file", words: "token-file"),
        ].filter { $0.isSet }
        if let last = sources.last, sources.count > 1 {
            let words = sources.map { $0.words }.joined(separator: " and ")
            throw section.error(at: last.key, "\(words) exclude each other: keep one of them")
        }
    }
}

extension OTLPSettings {
    private enum Encoding: String, CaseIterable {
        case protobuf, json
    }

    fileprivate init(_ section: ConfigurationReader) throws(ConfigurationError) {
        self.init(try HTTPOutputSettings(section, example: "http://collector.example:4318"))
        let encoding: Encoding? = try section.word("encoding")
        usesJSON = encoding == .json
    }
}

extension ElasticsearchSettings {
    fileprivate init(_ section: ConfigurationReader) throws(ConfigurationError) {
        self.init(try HTTPOutputSettings(section, example: "https://elasticsearch.example:9200"))
        if let name = http.endpoint.path.split(separator: "/").last, name == "_bulk" {
            throw section.error(at: "url", "\(http.endpoint): leave out /_bulk; the index is named by the key index")
        }
        if let name = try section.text("index") {
            if let fault = Self.fault(inIndex: name) {
                throw section.error(at: "index", "\(section.name(of: "index")): \(fault)")
            }
            index = name
        }
    }
}

extension LokiSettings {
    fileprivate init(_ section: ConfigurationReader) throws(ConfigurationError) {
        self.init(try HTTPOutputSettings(section, example: "http://loki.example:3100"))
        if let tenant = try section.text("tenant") {
            if let fault = HTTPFieldRules.fault(inName: "X-Scope-OrgID", value: tenant) {
                throw section.error(at: "tenant", "\(section.name(of: "tenant")): \(fault)")
            }
            guard !http.headers.keys.contains(where: { $0.lowercased() == "x-scope-orgid" }) else {
                throw section.error(at: "tenant", "tenant and the header X-Scope-OrgID exclude each other: keep one")
            }
            http.headers["X-Scope-OrgID"] = tenant
        }
        for (name, value) in try section.pairs("labels") {
            if let fault = Self.fault(inLabel: name) {
                throw try section.section("labels").error(at: name, "\(section.name(of: "labels")): \(fault)")
            }
            labels[name] = value
        }
    }
}

extension ForwardSettings {
    fileprivate init(_ section: ConfigurationReader) throws(ConfigurationError) {
        let words = try section.texts("servers") ?? []
        guard !words.isEmpty else {
            throw section.error(at: "servers", "servers is missing: a list such as [fluentd.example:24224]")
        }
        var servers: [NetworkPeer] = []
        for word in words {
            servers.append(try section.peer("servers", word, port: 24224))
        }
        self.init(servers: servers)
        mode = try section.word("mode") ?? mode
        tagPrefix = try section.text("tag") ?? tagPrefix
        tls = try section.tls()
        sharedKey = try section.secret("shared-key-file")
        user = try section.text("user")
        password = try section.secret("password-file")
        if sharedKey == nil {
            try section.refuse(["user", "password-file", "hostname"]) { _ in
                "has no effect without shared-key-file: set it too"
            }
        }
        guard (user == nil) == (password == nil) else {
            throw section.error(at: nil, "user and password-file are required together: set both")
        }
        hostName = try section.text("hostname") ?? hostName
    }
}

extension SyslogSettings {
    private static let facilities = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
        "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
        "local7",
    ]

    fileprivate init(_ section: ConfigurationReader) throws(ConfigurationError) {
        let destination = try section.text("to") ?? "/dev/log"
        let tls = try section.tls()
        let transport = try Self.transport(destination, tls, section)
        let isLocal = destination.hasPrefix("/")
        self.init(transport, format: try section.word("format") ?? (isLocal ? .chromeos : .rfc5424))
        if let word = try section.text("facility") {
            guard let number = Self.facilities.firstIndex(of: word) else {
                throw section.error(
                    at: "facility",
                    "\(section.name(of: "facility")): \(word) is not a facility; use one such as user, daemon or local0"
                )
            }
            facility = UInt8(number)
        }
    }

    private static func transport(
        _ destination: String,
        _ tls: TLSClientSettings?,
        _ section: ConfigurationReader
    ) throws(ConfigurationError) -> Transport {
        let settings = tls ?? TLSClientSettings()
        if !["tls://", "relp+tls://"].contains(where: destination.hasPrefix) {
            try section.refuse(["tls"]) { _ in "has no effect on \(destination): use tls:// or relp+tls:// in to" }
        }
        func peer(_ scheme: String, _ port: UInt16) throws(ConfigurationError) -> NetworkPeer {
            try section.peer("to", destination.dropFirst(scheme.count), port: port)
        }
        switch destination {
        case _ where destination.hasPrefix("/"): return .unix(destination)
        case _ where destination.hasPrefix("udp://"): return .udp(try peer("udp://", 514))
        case _ where destination.hasPrefix("tcp://"): return .tcp(try peer("tcp://", 514), tls: nil)
        case _ where destination.hasPrefix("tls://"): return .tcp(try peer("tls://", 6514), tls: settings)
        case _ where destination.hasPrefix("relp://"): return .relp(try peer("relp://", 2514), tls: nil)
        case _ where destination.hasPrefix("relp+tls://"): return .relp(try peer("relp+tls://", 2514), tls: settings)
        default:
            throw section.error(
                at: "to",
                "\(destination): must be a path such as /dev/log, or udp://, tcp://, tls://, relp:// or relp+tls:// with HOST:PORT"
            )
        }
    }
}
