// SPDX-License-Identifier: Apache-2.0

import Capture
import GuestCollector
import LogModel
import SystemIO
import TextFormats

// The section `collector`: what guests log themselves.
extension CollectorOptions {
    private static let kinds = ["cid", "vsock", "serial", "listen"]
    private static let identityKeys = ["name", "uuid", "namespace"]
    private static let guestKeys = KeysByKind(
        common: identityKeys,
        kinds: kinds.map { ($0, $0 == "vsock" ? [$0, "dial"] : [$0]) }
    )

    /// Reads the section. Without it there is no collector.
    init?(_ section: ConfigurationReader, isPresent: Bool) throws(ConfigurationError) {
        try section.allow([
            "port", "notify-port", "guests", "rate", "burst", "record-rate", "record-burst", "connections",
            "exit-when-idle",
        ])
        guard isPresent else {
            return nil
        }
        self.init(
            port: try Self.port(section, "port", default: CollectorOptions.defaultPort),
            notifyPort: try Self.port(section, "notify-port", default: CollectorOptions.defaultNotifyPort)
        )
        if let port, port == notifyPort {
            throw section.error(at: "notify-port", "collector.notify-port must differ from collector.port, \(port)")
        }
        limits = try Self.limits(section)
        idleLimit = try section.duration("exit-when-idle")
        var endpoints: Set<Endpoint> = []
        for element in try section.list("guests") {
            try element.attempt(()) { element throws(ConfigurationError) in
                if let pattern = try Self.pattern(element) {
                    patterns.append(pattern)
                    return
                }
                let guest = try Self.guest(element)
                guard endpoints.insert(guest.endpoint).inserted else {
                    throw element.error(at: nil, "\(guest.endpoint) is given for two guests")
                }
                guests.append(guest)
            }
        }
    }

    /// A vsock port; `none` for no listener.
    private static func port(
        _ section: ConfigurationReader,
        _ key: String,
        default: UInt32
    ) throws(ConfigurationError) -> UInt32? {
        guard let text = try section.text(key) else {
            return `default`
        }
        guard text != "none" else {
            return nil
        }
        guard let port = UInt32(text), port > 0, port < .max else {
            throw section.error(at: key, "collector.\(key): \(text) is not a vsock port: use 1 to 4294967294, or none")
        }
        return port
    }

    private static func limits(_ section: ConfigurationReader) throws(ConfigurationError) -> GuestLimits {
        var limits = GuestLimits.default
        let rate = try section.size("rate", atLeast: 1) ?? limits.bytes.rate
        limits.bytes = RateLimit(rate: rate, burst: try section.size("burst") ?? max(limits.bytes.burst, rate))
        let records = try section.integer("record-rate") ?? limits.records.rate
        guard records > 0 else {
            throw section.error(at: "record-rate", "collector.record-rate must be more than 0")
        }
        let burst = try section.integer("record-burst") ?? max(limits.records.burst, records)
        limits.records = RateLimit(rate: records, burst: burst)
        limits.connections = try section.integer("connections") ?? limits.connections
        guard limits.connections > 0 else {
            throw section.error(at: "connections", "collector.connections must be more than 0")
        }
        return limits
    }

    private static func kind(
        _ section: ConfigurationReader
    ) throws(ConfigurationError) -> (kind: String, location: String) {
        try section.allow(guestKeys)
        let given = kinds.filter(section.has)
        guard given.count == 1, let kind = given.first, let location = try section.text(kind) else {
            throw section.error(at: nil, "a guest requires one of cid, vsock, serial or listen")
        }
        try section.allow(guestKeys, of: kind)
        return (kind, location)
    }

    /// The guests whose paths have placeholders; nil: it is one guest.
    private static func pattern(_ section: ConfigurationReader) throws(ConfigurationError) -> Pattern? {
        let (kind, location) = try kind(section)
        guard kind != "cid", PathPattern.isPattern(location) else {
            return nil
        }
        try section.refuse(identityKeys) { "comes from the path, \(location): use {\($0)} there" }
        let endpoint = try endpoint(kind, location, section)
        do throws(PathPatternError) {
            return try pattern(endpoint, location)
        } catch {
            throw section.error(at: kind, "\(error)")
        }
    }

    private static func pattern(_ endpoint: Endpoint, _ location: String) throws(PathPatternError) -> Pattern {
        switch endpoint {
        case .hybrid: return Pattern(try PathPattern(location), .hybrid)
        case .dial(_, let port): return Pattern(try PathPattern(location), .dial(port: port))
        case .serial: return Pattern(try PathPattern(location), .serial)
        case .unix, .tcp, .context:
            // The socket is the collector's own: its folder is what is found.
            let (folder, name) = DirectoryHandle.split(location)
            guard !PathPattern.isPattern(name) else {
                throw PathPatternError(
                    pattern: location,
                    reason: "put the placeholder into the folder's name, not the socket's: "
                        + "the collector creates the socket in each matching folder"
                )
            }
            return Pattern(try PathPattern(folder), .listen(name: name))
        }
    }

    private static func guest(_ section: ConfigurationReader) throws(ConfigurationError) -> Guest {
        let (kind, location) = try kind(section)
        guard let name = try section.text("name") else {
            throw section.error(at: nil, "name is missing: the VM's name")
        }
        let namespace = try section.text("namespace")
        for (key, value) in [("name", name), ("namespace", namespace)] {
            if let value, let rule = VMIdentity.fault(inName: value) {
                throw section.error(at: key, "'\(value)' is not a VM's \(key): use \(rule)")
            }
        }
        return Guest(
            vm: VMIdentity(name: name, uuid: try section.uuid("uuid"), namespace: namespace),
            endpoint: try endpoint(kind, location, section)
        )
    }

    private static func endpoint(
        _ kind: String,
        _ location: String,
        _ section: ConfigurationReader
    ) throws(ConfigurationError) -> Endpoint {
        switch kind {
        case "cid":
            guard let context = UInt32(location), context > VsockSocket.host, context < .max else {
                throw section.error(at: kind, "\(location) is not a guest's CID: use 3 to 4294967294")
            }
            return .context(context)
        case "listen" where !location.hasPrefix("/"):
            guard let address = NetworkAddress(location) else {
                throw section.error(
                    at: kind,
                    "\(location): use a path that begins with /, or ADDRESS:PORT with an IP address, not a host name, "
                        + "and a port up to 65535"
                )
            }
            return .tcp(address)
        default:
            guard location.hasPrefix("/") else {
                throw section.error(at: kind, "\(location): the path must begin with /")
            }
        }
        switch kind {
        case "serial": return .serial(path: location)
        case "listen": return .unix(path: location)
        default:
            guard section.has("dial") else {
                return .hybrid(path: location)
            }
            guard let text = try section.text("dial"), let port = UInt32(text), port > 0 else {
                throw section.error(at: "dial", "dial must be a port of the guest, such as 1025")
            }
            return .dial(path: location, port: port)
        }
    }
}

extension CollectorOptions {
    /// The settings that a running daemon cannot change.
    var withoutGuests: CollectorOptions {
        var options = self
        (options.guests, options.patterns) = ([], [])
        return options
    }

    /// The settings, for display.
    var settings: [(name: String, value: String)] {
        func text(_ port: UInt32?) -> String { port.map { String($0) } ?? "none" }
        return [
            ("collector.port", text(port)), ("collector.notify-port", text(notifyPort)),
            (
                "collector.rate",
                "\(Quantities.size(limits.bytes.rate))/s (burst \(Quantities.size(limits.bytes.burst)))"
            ),
            ("collector.record-rate", "\(limits.records.rate)/s (burst \(limits.records.burst))"),
            ("collector.connections", String(limits.connections)),
            ("collector.exit-when-idle", idleLimit.map { Quantities.duration(microseconds: $0) } ?? "never"),
        ] + guests.map { ("guest", "\($0.endpoint) is \($0.vm.name)") }
            + patterns.map { ("guests", "\($0)") }
    }
}
