// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import RotatingFile

// The section `consoles`: which consoles are captured, and how each is reached.
extension Configuration {
    private static let kinds = ["path", "connect", "listen", "tcp", "pty", "fifo"]
    /// The keys that name the VM; in a pattern its placeholders do.
    private static let identityKeys = ["name", "uuid", "namespace"]
    private static let storedKeys = ["plain-file", "plain-size", "plain-backups", "rate", "burst"]
    private static let consoleKeys = KeysByKind(
        common: ["stream"] + storedKeys,
        kinds: kinds.map { ($0, [$0] + ($0 == "path" ? [] : identityKeys + ["on-demand"])) }
    )

    mutating func readConsole(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(Self.consoleKeys)
        let given = Self.kinds.filter(section.has)
        guard given.count == 1, let kind = given.first, let location = try section.text(kind) else {
            throw section.error(at: nil, "a console requires one of path, connect, listen, tcp, pty or fifo")
        }
        if kind == "path" {
            try section.refuse(Self.identityKeys) { "comes from the path, \(location): use {\($0)} there" }
        }
        try section.allow(Self.consoleKeys, of: kind)
        let isOnDemand = try section.flag("on-demand") ?? false
        if isOnDemand {
            try section.refuse(Self.storedKeys) { _ in "has no effect with on-demand, which stores nothing: remove one"
            }
        }
        let capture = try readCapture(section)
        if kind == "path" {
            try readPattern(section, location, capture)
        } else {
            try readDefinition(section, kind, location, capture, isOnDemand: isOnDemand)
        }
    }

    /// How what a console sends is captured.
    private struct ConsoleCapture {
        var stream: StreamName
        var rate: RateLimit?
        var plainFile: StreamOptions.PlainFile?
    }

    private func readCapture(_ section: ConfigurationReader) throws(ConfigurationError) -> ConsoleCapture {
        let stream = try section.streamName("stream") ?? .console0
        let rate = try self.rate(section)
        var limits = RotationLimits.default
        limits.size = try section.size("plain-size") ?? limits.size
        limits.backups = try section.integer("plain-backups") ?? limits.backups
        let plain = try section.absolutePath("plain-file")
        if plain == nil {
            try section.refuse(["plain-size", "plain-backups"]) { _ in "has no effect without plain-file: set it too" }
        }
        let plainFile = plain.map { StreamOptions.PlainFile(path: $0, limits: limits) }
        return ConsoleCapture(stream: stream, rate: rate, plainFile: plainFile)
    }

    /// Reads consoles that are discovered by the paths of their sockets.
    private mutating func readPattern(
        _ section: ConfigurationReader,
        _ path: String,
        _ capture: ConsoleCapture
    ) throws(ConfigurationError) {
        do {
            let pattern = try DiscoveryPattern(
                path,
                stream: capture.stream,
                plainFile: capture.plainFile?.path,
                plainLimits: capture.plainFile?.limits ?? .default,
                rate: capture.rate
            )
            patterns.append(pattern)
        } catch {
            throw section.error(at: "path", "\(error)")
        }
    }

    /// Reads a console that is named.
    private mutating func readDefinition(
        _ section: ConfigurationReader,
        _ kind: String,
        _ location: String,
        _ capture: ConsoleCapture,
        isOnDemand: Bool
    ) throws(ConfigurationError) {
        guard let name = try section.text("name") else {
            throw section.error(at: nil, "name is missing: the VM's name")
        }
        guard let endpoint = Endpoint(kind + ":" + location) else {
            throw section.error(at: kind, "\(location): \(Endpoint.fault(in: "\(kind):\(location)"))")
        }
        let key = StreamKey(
            name: name,
            uuid: try section.uuid("uuid"),
            namespace: try section.text("namespace"),
            stream: capture.stream
        )
        do throws(DefinitionError) {
            let console = try ConsoleHub.Definition(
                key: key,
                endpoint: endpoint,
                plainFile: capture.plainFile,
                rate: capture.rate,
                isOnDemand: isOnDemand
            )
            if let conflict = consoles.lazy.compactMap({ console.conflict(with: $0) }).first {
                conflicts.append(section.error(at: nil, "\(name)/\(capture.stream) is not captured: \(conflict)"))
            }
            consoles.append(console)
        } catch {
            throw section.error(at: nil, "\(error)")
        }
    }

    func rate(_ section: ConfigurationReader) throws(ConfigurationError) -> RateLimit? {
        let rate = try section.size("rate") ?? RateLimit.default.rate
        let burst = try section.size("burst") ?? max(RateLimit.default.burst, rate)
        // 0: no limit.
        return rate == 0 ? nil : RateLimit(rate: rate, burst: burst)
    }
}
