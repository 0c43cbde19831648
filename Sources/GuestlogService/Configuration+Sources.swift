// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import RuntimeSources
import SystemIO
import Transforms

// The section `sources`: where records of runtime logs are read.
extension Configuration {
    static func readSources(_ top: ConfigurationReader) throws(ConfigurationError) -> [SourceDefinition] {
        var sources: [SourceDefinition] = []
        for section in try top.list("sources") {
            sources += try section.attempt([]) { section throws(ConfigurationError) in
                [try readSource(section, besides: sources)]
            }
        }
        return sources
    }

    /// A source, which must differ from `sources`.
    private static func readSource(
        _ section: ConfigurationReader,
        besides sources: [SourceDefinition]
    ) throws(ConfigurationError) -> SourceDefinition {
        let source = try readSource(section)
        if sources.contains(where: { $0.name == source.name }) {
            throw section.error(at: "name", "two sources have the name \(source.name); give each its own name")
        }
        if let other = sources.first(where: { $0.stream == source.stream }) {
            throw section.error(
                at: "stream",
                "\(other.name) and \(source.name) both feed the stream \(source.stream); give each a stream of its own"
            )
        }
        return source
    }

    /// Keys of other programs, and what replaces them.
    private static let otherKeys = [
        (key: "pos_file", remedy: "positions are kept in the store, with the records"),
        ("storage", "positions are kept in the store, with the records"),
        ("db", "positions are kept in the store, with the records"), ("filters", "use matches"),
        ("systemd_filter", "use matches"), ("parse", "use format"), ("parser", "use format"),
        ("time_format", "times are recognized; the filter parser has time_key for the field that has them"),
    ]

    private enum SourceType: String {
        case systemd, tail, forward
    }

    private static let sourceKeys = KeysByKind(
        common: ["type", "name", "tag", "vm", "vm_fields", "stream"],
        kinds: [
            ("type: systemd", ["path", "matches", "read_from_head"]),
            ("type: tail", ["path", "format", "read_from_head", "rotate_wait"]),
            ("type: forward", ["listen", "shared_key_file", "hostname"]),
        ]
    )

    private static func readSource(_ section: ConfigurationReader) throws(ConfigurationError) -> SourceDefinition {
        for (key, remedy) in otherKeys where section.has(key) {
            try section.fail(section.error(at: key, "\(key) is not a key of Guestlog: \(remedy)"))
        }
        try section.allow(sourceKeys)
        let type = try readType(section)
        if type == .tail {
            try section.refuse(["matches"]) { _ in "has no effect with type: tail; use the filter drop of a pipeline" }
        }
        try section.allow(sourceKeys, of: "type: \(type.rawValue)")
        let isReceiver = type == .forward
        let tag = try section.text("tag") ?? (isReceiver ? "forward" : "")
        guard !tag.isEmpty else {
            throw section.error(at: nil, "tag is missing: the name by which pipelines select the records")
        }
        let name = try section.text("name") ?? tag
        let vm = try section.text("vm") ?? hostName()
        if let fault = VMIdentity.fault(inName: vm) {
            throw section.error(at: "vm", "'\(vm)' is not a VM's name: use \(fault)")
        }
        let stream = try section.streamName("stream", section.text("stream") ?? streamWord(name))
        var source = SourceDefinition(
            name: name,
            kind: try readKind(section, type),
            tag: tag,
            vm: VMIdentity(name: vm),
            stream: stream
        )
        if type == .tail {
            source.rotateWait = try section.duration("rotate_wait") ?? Self.defaultRotateWait
        }
        if let fields = try section.texts("vm_fields") {
            source.vmFields = fields.map { Array($0.utf8) }
        }
        return source
    }

    /// As in Fluentd, in microseconds.
    private static let defaultRotateWait: Int64 = 5_000_000

    private static func readType(_ section: ConfigurationReader) throws(ConfigurationError) -> SourceType {
        guard let word = try section.text("type") else {
            throw section.error(at: nil, "type is missing: systemd, tail or forward")
        }
        // Users of journals expect this name.
        guard let type = word == "journal" ? .systemd : SourceType(rawValue: word) else {
            throw section.error(at: "type", "unknown type \(word); use systemd, tail or forward")
        }
        return type
    }

    private static func readKind(
        _ section: ConfigurationReader,
        _ type: SourceType
    ) throws(ConfigurationError) -> SourceDefinition.Kind {
        let readsFromHead = try section.flag("read_from_head") ?? true
        switch type {
        case .systemd:
            var options = JournalOptions()
            options.paths = try section.absolutePath("path").map { [$0] } ?? []
            options.readsFromHead = readsFromHead
            options.matches = try readMatches(section)
            return .journal(options)
        case .tail:
            guard let path = try section.absolutePath("path") else {
                throw section.error(at: nil, "path is missing: the file, or a pattern such as /var/log/pods/*/*/*.log")
            }
            return .files(path: path, try readFormat(section) ?? .text, readsFromHead: readsFromHead)
        case .forward: return .forward(try readForward(section))
        }
    }

    private static func readMatches(_ section: ConfigurationReader) throws(ConfigurationError) -> [JournalMatch] {
        let matches = try section.mappings("matches")
        if let field = matches.joined().first(where: { !isJournalField($0.name) }) {
            throw section.error(
                at: "matches",
                "\(section.name(of: "matches")): no journal entry has a field '\(field.name)'; "
                    + "use capital letters, digits and _, as in _SYSTEMD_UNIT"
            )
        }
        return matches.map { fields in
            JournalMatch(fields.flatMap { field in field.values.map { "\(field.name)=\($0)" } })
        }
    }

    /// Whether journald stores fields of this name: systemd.journal-fields(7). Those that begin with `__` are addresses.
    private static func isJournalField(_ name: String) -> Bool {
        name.wholeMatch(of: /_?[A-Z][A-Z0-9_]*/) != nil && name.utf8.count <= 64
    }

    /// The receiver of the Forward protocol.
    private static func readForward(_ section: ConfigurationReader) throws(ConfigurationError) -> ForwardOptions {
        guard let text = try section.text("listen") else {
            throw section.error(
                at: nil,
                "listen is missing: ADDRESS:PORT, such as 127.0.0.1:24224, or the path of a socket"
            )
        }
        let endpoint: ForwardOptions.Endpoint
        if text.hasPrefix("/") {
            endpoint = .path(text)
        } else if let address = NetworkAddress(text) {
            endpoint = .network(address)
        } else {
            throw section.error(
                at: "listen",
                "\(text): must be ADDRESS:PORT, such as 127.0.0.1:24224, or an absolute path"
            )
        }
        var options = ForwardOptions(
            endpoint: endpoint,
            hostName: try section.text("hostname") ?? "guestlog." + hostName()
        )
        options.sharedKeyFile = try section.absolutePath("shared_key_file")
        if options.sharedKeyFile == nil {
            try section.refuse(["hostname"]) { _ in "has no effect without shared_key_file: set it too" }
        }
        options.keepsTags = try section.text("tag") == nil
        if case .network(let address) = endpoint, !address.isLoopback, options.sharedKeyFile == nil {
            throw section.error(
                at: "listen",
                "\(text): senders on other hosts must be authenticated; set shared_key_file, or listen at 127.0.0.1 or [::1]"
            )
        }
        return options
    }

    /// The name of a stream that resembles `name`.
    private static func streamWord(_ name: String) -> String {
        let word = name.lowercased().utf8.map { byte -> UInt8 in
            let isAllowed = StreamName(String(decoding: [byte], as: UTF8.self)) != nil
            return isAllowed ? byte : UInt8(ascii: "-")
        }
        return String(decoding: word.prefix(64), as: UTF8.self)
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else {
            return "host"
        }
        let text = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return text.isEmpty ? "host" : String(decoding: text, as: UTF8.self)
    }
}
