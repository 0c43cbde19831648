// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import GuestCollector
import HTTPAPI
import Glibc
public import Libvirt
import LogModel
import LogStore
public import Outputs
public import Query
public import RuntimeSources
import SystemIO
import TextFormats
public import Transforms
import VirtLogManager

/// The settings of a configuration file. Everything has a default; no file is required.
public struct Configuration: Sendable {
    public var store: String
    /// The folder for files that need not outlive the host's boot: in-flight rings, console sockets.
    public var runtime: String
    public var socket: String
    /// The minimum level of the daemon's messages.
    public var logLevel: DiagnosticLevel
    /// Discovered consoles.
    public var patterns: [DiscoveryPattern]
    /// Named consoles.
    public var consoles: [ConsoleHub.Definition]
    /// The consoles of the file that cannot be captured because of a conflict. The daemon captures the others.
    public internal(set) var conflicts: [ConfigurationError] = []
    /// The limits of a VM's log.
    public var quota: Quota
    /// Limits of some VMs; the first pattern that matches applies.
    var overrides: [Override]
    /// The character sets of consoles that do not use UTF-8.
    public var charsets: CharsetRules
    /// The limit of all logs together, in bytes.
    public var totalQuota: Int?
    /// How long a deleted VM's log is kept, in microseconds.
    public var deletedAge: Int64
    /// The folders in which libvirt may create logs, in the system's instance.
    var logFolders: [String]
    /// The rate above which libvirt's logs are written to their plain files only; nil: none.
    var logRate: RateLimit?
    /// The API's TCP listener; nil: none.
    public var listener: TCPListenerSettings?
    /// The OpenStack part of the API.
    public var nova: NovaOptions
    /// The libvirt to query for VMs.
    public var libvirt: LibvirtSocket
    /// Where records of runtime logs are read.
    public var sources: [SourceDefinition] = []
    /// What they become.
    public var pipeline = Pipeline()
    /// The collector of what guests log themselves; nil: none.
    public var collector: CollectorOptions?
    /// The VMs of a Kubernetes node whose logs are read; nil: none.
    public var node: NodeSettings?
    /// Whether logs of programs are read: the `sources`, or those of a node's VMs.
    var hasSources: Bool { !sources.isEmpty || node != nil }
    /// The programs to which what is stored is sent.
    public var outputs: [OutputSettings] = []

    /// The file that it was read from; nil for the defaults.
    public private(set) var file: String?
    /// The file that is read when none is named.
    public static let usualFile = "/etc/guestlog/guestlog.yaml"

    /// Limits of the VMs that match.
    public struct Override: Hashable, Sendable {
        public var vms: VMPattern
        public var quota: Quota
    }

    /// The minimum limit of a log: what a file system needs for any file. A smaller number lacks its unit.
    private static let smallestQuota = 4 << 10

    /// The defaults: the system's folders for root, the XDG folders for other users.
    public init() {
        let paths = DefaultPaths()
        store = paths.store
        runtime = paths.runtime
        socket = paths.socket
        logLevel = .notice
        patterns = []
        consoles = []
        quota = .default
        overrides = []
        charsets = CharsetRules()
        totalQuota = nil
        deletedAge = Retention.defaultDeletedAge
        logFolders = LogManager.Options.defaultFolders
        logRate = .default
        listener = nil
        nova = NovaOptions()
        libvirt = .default
        collector = nil
    }

    /// Reads the configuration in `file`.
    public init(file: String) throws(ConfigurationError) {
        try self.init(file: file, text: ConfigurationError.text(of: file))
    }

    /// Parses `text`; `file` is named in errors. Throws the first error, with all others that do not depend on it.
    public init(file: String, text: String) throws(ConfigurationError) {
        self.init()
        self.file = file
        let errors = ConfigurationErrors()
        let top = try ConfigurationReader(file: file, text: text, collecting: errors)
        try top.allow([
            "store", "runtime", "socket", "log-level", "consoles", "retention", "libvirt", "api", "openstack",
            "charset", "sources", "pipelines", "collector", "outputs", "kubevirt",
        ])
        try top.attempt(()) { top throws(ConfigurationError) in try readPaths(top) }
        try top.attempt(()) { top throws(ConfigurationError) in try readLogLevel(top) }
        try top.section("retention").attempt(()) { section throws(ConfigurationError) in try readRetention(section) }
        listener = try top.section("api").attempt(nil, TCPListenerSettings.init)
        nova = try top.section("openstack").attempt(nova, NovaOptions.init)
        try top.section("libvirt").attempt(()) { section throws(ConfigurationError) in try readLibvirt(section) }
        try top.attempt(()) { top throws(ConfigurationError) in try readCharsets(top) }
        sources = try Self.readSources(top)
        pipeline = Pipeline(try Self.readPipelines(top))
        collector = try top.section("collector").attempt(nil) { section throws(ConfigurationError) in
            try CollectorOptions(section, isPresent: top.contains("collector"))
        }
        node = try top.section("kubevirt").attempt(nil) { section throws(ConfigurationError) in
            try NodeSettings(section, isPresent: top.contains("kubevirt"))
        }
        outputs = try OutputSettings.read(try top.list("outputs"))
        for section in try top.list("consoles") {
            try section.attempt(()) { section throws(ConfigurationError) in try readConsole(section) }
        }
        try errors.throwAll()
    }

    private mutating func readLogLevel(_ top: ConfigurationReader) throws(ConfigurationError) {
        if let word = try top.text("log-level") {
            guard let level = Self.level(word) else {
                throw top.error(at: "log-level", "unknown level \(word); use error, warning, notice, info or debug")
            }
            logLevel = level
        }
    }

    /// Reads where the store and the daemon's socket are. Settings from the environment take precedence over the file.
    mutating func readPaths(_ top: ConfigurationReader) throws(ConfigurationError) {
        let named = DefaultPaths.named
        if let folder = try top.absolutePath("store"), named.store == nil {
            store = folder
        }
        if let folder = try top.absolutePath("runtime") {
            runtime = folder
            socket = named.socket ?? folder + "/guestlog.sock"
        }
        if let path = try top.absolutePath("socket"), named.socket == nil {
            guard path.utf8.count <= UnixSocket.longestPath else {
                throw top.error(at: "socket", "\(path): \(UnixSocket.pathRule); choose a shorter one")
            }
            socket = path
        }
    }

    static let levels: [String: DiagnosticLevel] = [
        "error": .error, "warning": .warning, "notice": .notice, "info": .info, "debug": .debug,
    ]

    /// The level `word`; severities are accepted by all their names.
    private static func level(_ word: String) -> DiagnosticLevel? {
        levels[word] ?? Severity(word: word).flatMap { DiagnosticLevel(rawValue: Int($0.rawValue)) }
    }

    private mutating func readRetention(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(["vm", "age", "total", "deleted", "overrides"])
        quota.bytes = try section.size("vm", atLeast: Self.smallestQuota) ?? quota.bytes
        quota.age = try section.duration("age") ?? quota.age
        totalQuota = try section.size("total", atLeast: Self.smallestQuota) ?? totalQuota
        deletedAge = try section.duration("deleted") ?? deletedAge
        for override in try section.list("overrides") {
            try override.attempt(()) { override throws(ConfigurationError) in try readOverride(override) }
        }
        if let totalQuota, section.has("vm"), quota.bytes > totalQuota {
            let (vm, total) = (Quantities.size(quota.bytes), Quantities.size(totalQuota))
            throw section.error(at: "vm", "retention.vm: \(vm) is more than retention.total, \(total)")
        }
    }

    private mutating func readOverride(_ override: ConfigurationReader) throws(ConfigurationError) {
        try override.allow(["vms", "size", "age"])
        guard let word = try override.text("vms"), !word.isEmpty else {
            throw override.error(at: nil, "vms is missing: a name pattern such as db-*")
        }
        guard override.has("size") || override.has("age") else {
            throw override.error(at: nil, "size and age are missing: set one, or both")
        }
        let vms = try override.vmPattern("vms", [word])
        let own = Quota(
            bytes: try override.size("size", atLeast: Self.smallestQuota) ?? quota.bytes,
            age: try override.duration("age") ?? quota.age
        )
        overrides.append(Override(vms: vms, quota: own))
    }

    private mutating func readCharsets(_ top: ConfigurationReader) throws(ConfigurationError) {
        for (vms, name) in try top.textsByPattern("charset") {
            let charset: Charset
            do throws(QueryError) {
                charset = try Charset(name)
            } catch {
                throw top.error(at: "charset", "\(error)")
            }
            charsets.rules.append(CharsetRules.Rule(vms: try top.vmPattern("charset", [vms]), charset: charset))
        }
    }

    private mutating func readLibvirt(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(["socket", "log-folders", "rate", "burst"])
        logFolders = try section.texts("log-folders") ?? logFolders
        if let folder = logFolders.first(where: { !$0.hasPrefix("/") }) {
            throw section.error(at: "log-folders", "libvirt.log-folders: '\(folder)' must begin with /")
        }
        logRate = try rate(section)
        if let path = try section.text("socket") {
            guard path == "none" || path.hasPrefix("/") else {
                let reason = "must be a path that begins with /, or none, which disables the query"
                throw section.error(at: "socket", "\(path): \(reason)")
            }
            libvirt = path == "none" ? .off : .path(path)
        }
    }
}
