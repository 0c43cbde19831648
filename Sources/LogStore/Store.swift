import LogModel
import SystemIO

/// The store's folder, for whoever reads: which VMs there are, which streams they have.
///
/// Reading needs no lock and no daemon, only permission.
public struct Store: Sendable {
    /// The store's folder.
    public let root: String
    /// Where it lies.
    public let fileSystem: any FileSystem
    /// The VMs that are shown; no others exist for whoever reads through this: they have no streams, no text and no size.
    private let shown: VMPattern

    /// The store in `root`.
    public init(root: String, fileSystem: any FileSystem = LinuxFileSystem()) {
        self.init(root: root, fileSystem: fileSystem, shown: .all)
    }

    private init(root: String, fileSystem: any FileSystem, shown: VMPattern) {
        self.root = root
        self.fileSystem = fileSystem
        self.shown = shown
    }

    /// The same store, for somebody who may see these VMs only.
    public func showing(_ vms: VMPattern) -> Store {
        Store(root: root, fileSystem: fileSystem, shown: vms)
    }

    /// One VM's history.
    public struct VM: Hashable, Sendable {
        /// Who it is.
        public var identity: VMIdentity
        /// When its history began.
        public var created: Timestamp
        /// When it was deleted; nil while it exists.
        public var ended: Timestamp?

        /// Its folder's name.
        public var directory: String { identity.directoryName }
    }

    /// Locked by the one process that keeps the whole store within its bounds.
    var lockPath: String { root + "/lock" }

    func path(of vm: String) -> String { root + "/" + vm }
    /// The folder of a stream; of a VM that is not shown one that does not exist.
    func path(of stream: StreamID) -> String {
        (isShown(stream.vm) ? path(of: stream.vm) : root + "/" + Self.nowhere) + "/" + stream.stream.text
    }
    /// No VM's folder has that name, for VMs' names never have a `/` in theirs.
    private static let nowhere = "access/hidden"
    func factsPath(_ vm: String) -> String { root + "/" + vm + "/vm.json" }

    /// All VMs, by name, then by age; folders that are not ours are passed over.
    public func vms() throws(SystemError) -> [VM] {
        try fileSystem.names(in: root).compactMap(vm(in:)).sorted {
            ($0.identity.name, $0.created, $0.directory) < ($1.identity.name, $1.created, $1.directory)
        }
    }

    /// The VM in that folder, or nil when none is shown there.
    public func vm(in directory: String) -> VM? {
        guard let bytes = try? fileSystem.contents(of: factsPath(directory)), let facts = try? JSON(parsing: bytes),
            let name = facts["name"]?.text, let created = facts["created"]?.integer
        else {
            return nil
        }
        let identity = VMIdentity(
            name: name,
            uuid: facts["uuid"]?.text,
            namespace: facts["namespace"]?.text,
            instance: Int(facts["instance"]?.integer ?? 0)
        )
        guard identity.directoryName == directory, shown.contains(identity) else {
            return nil
        }
        return VM(
            identity: identity,
            created: Timestamp(microseconds: created),
            ended: facts["ended"]?.integer.map { Timestamp(microseconds: $0) }
        )
    }

    /// Whether there may be a VM in that folder for whoever reads through this.
    private func isShown(_ directory: String) -> Bool {
        shown == .all || vm(in: directory) != nil
    }

    func write(_ vm: VM) throws(SystemError) {
        var facts: [(String, JSON)] = [
            ("format", .integer(Int64(StoreLimits.formatVersion))),
            ("name", .string(vm.identity.name)),
            ("created", .integer(vm.created.microseconds)),
        ]
        if let uuid = vm.identity.uuid {
            facts.append(("uuid", .string(uuid)))
        }
        if let namespace = vm.identity.namespace {
            facts.append(("namespace", .string(namespace)))
        }
        if vm.identity.instance > 0 {
            facts.append(("instance", .integer(Int64(vm.identity.instance))))
        }
        if let ended = vm.ended {
            facts.append(("ended", .integer(ended.microseconds)))
        }
        try fileSystem.replace("vm.json", in: path(of: vm.directory), with: JSON.object(facts).bytes + [Lines.feed])
    }

    /// A VM's streams, by name.
    public func streams(of vm: String) throws(SystemError) -> [StreamID] {
        guard isShown(vm) else {
            return []
        }
        return try fileSystem.names(in: path(of: vm)).compactMap(StreamName.init).sorted()
            .map { StreamID(vm: vm, stream: $0) }
            .filter { fileSystem.status(StreamLayout(path: path(of: $0)).metadata) != nil }
    }

    /// A reader of one stream.
    public func reader(of stream: StreamID) -> StreamReader {
        StreamReader(path: path(of: stream), fileSystem: fileSystem)
    }

    /// The folder of one stream, to be watched for change.
    public func folder(of stream: StreamID) -> String { path(of: stream) }

    /// What is fixed for a stream; a console's properties when its facts are missing or unreadable.
    public func properties(of stream: StreamID) -> StreamProperties {
        knownProperties(of: stream) ?? StreamProperties()
    }

    func knownProperties(of stream: StreamID) -> StreamProperties? {
        let path = StreamLayout(path: path(of: stream)).metadata
        guard let bytes = try? fileSystem.contents(of: path), let facts = try? JSON(parsing: bytes) else {
            return nil
        }
        return StreamProperties(
            encoding: facts["encoding"]?.text.flatMap(StreamProperties.Encoding.init) ?? .raw,
            clock: facts["clock"]?.text.flatMap(StreamProperties.Clock.init) ?? .host,
            isReplayable: facts["replayable"]?.bool ?? false
        )
    }

    /// Throws ENOTSUP when the facts in the file at `path` are of a newer format than this code's.
    func checkFormat(_ path: String) throws(SystemError) {
        guard let bytes = try fileSystem.contents(of: path), let facts = try? JSON(parsing: bytes),
            let version = facts["format"]?.integer, version > StoreLimits.formatVersion
        else {
            return
        }
        throw SystemError(
            "open for writing (format \(version) of a newer guestlog; this one writes \(StoreLimits.formatVersion))",
            path,
            code: SystemError.notSupported
        )
    }

    /// What `vm` takes on disk, in bytes, each file counted as `StoreLimits.fileCost` at least.
    public func usage(of vm: String) throws(SystemError) -> Int {
        var total = 0
        for stream in try streams(of: vm) {
            total += try usage(of: stream)
        }
        return total
    }

    /// What one stream takes on disk, its quarantine included.
    public func usage(of stream: StreamID) throws(SystemError) -> Int {
        let layout = StreamLayout(path: path(of: stream))
        var total = try size(ofFilesIn: layout.path)
        if fileSystem.status(layout.quarantine) != nil {
            total += try size(ofFilesIn: layout.quarantine)
        }
        return total
    }

    private func size(ofFilesIn folder: String) throws(SystemError) -> Int {
        var total = 0
        for name in try fileSystem.names(in: folder) {
            if let status = fileSystem.status(folder + "/" + name), !status.isDirectory {
                total += max(StoreLimits.fileCost, status.size)
            }
        }
        return total
    }
}
