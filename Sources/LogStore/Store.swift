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
        /// Its folder's name.
        public let directory: String
        /// When its history began.
        public var created: Timestamp
        /// When it was deleted; nil while it exists.
        public var ended: Timestamp?
        /// What is wrong with `vm.json`; nil when it is whole. The identity is then what the folder's name tells.
        public var factsProblem: String?

        init(identity: VMIdentity, directory: String? = nil, created: Timestamp, ended: Timestamp? = nil) {
            self.identity = identity
            self.directory = directory ?? identity.directoryName
            self.created = created
            self.ended = ended
        }
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
        guard let vm = whole(directory) ?? damaged(directory), shown.contains(vm.identity) else {
            return nil
        }
        return vm
    }

    /// The VM whose facts can be read.
    private func whole(_ directory: String) -> VM? {
        guard case .facts(let facts, let agree)? = try? FactsFile.contents(of: factsPath(directory), on: fileSystem),
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
        guard identity.directoryName == directory else {
            return nil
        }
        var vm = VM(
            identity: identity,
            created: Timestamp(microseconds: created),
            ended: facts["ended"]?.integer.map { Timestamp(microseconds: $0) }
        )
        vm.factsProblem = agree == false ? "does not agree with its checksum" : nil
        return vm
    }

    /// The VM whose facts are missing or damaged, and whose folder holds a log: its name tells who it is.
    private func damaged(_ directory: String) -> VM? {
        guard let identity = VMIdentity(directoryName: directory),
            let status = fileSystem.status(path(of: directory)), status.isDirectory
        else {
            return nil
        }
        let problem: String
        switch try? FactsFile.contents(of: factsPath(directory), on: fileSystem) {
        case .absent?:
            // Between the making of a folder and that of its facts it holds no stream, and remembers none.
            let streams = (try? foundStreams(of: directory)) ?? []
            guard !streams.isEmpty || !rememberedStreams(of: directory).isEmpty else {
                return nil
            }
            problem = "is missing"
        case .unreadable(let reason)?: problem = reason
        case .facts?: problem = "is not this VM's"
        case nil: return nil
        }
        let created = Timestamp(microseconds: status.modified)
        var vm = VM(identity: identity, directory: directory, created: created)
        vm.factsProblem = problem
        return vm
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
        try fileSystem.clear(factsPath(vm.directory), for: .regular)
        try fileSystem.replace("vm.json", in: path(of: vm.directory), with: FactsFile.text(of: facts))
    }

    /// A VM's streams, by name: the folders that say what they are, or hold text.
    public func streams(of vm: String) throws(SystemError) -> [StreamID] {
        guard isShown(vm) else {
            return []
        }
        return try foundStreams(of: vm)
    }

    private func foundStreams(of vm: String) throws(SystemError) -> [StreamID] {
        try fileSystem.names(in: path(of: vm)).compactMap(StreamName.init).sorted()
            .map { StreamID(vm: vm, stream: $0) }
            .filter(isStream)
    }

    /// The streams of which something was stored when the VM was closed last, as `writer.json` says.
    private func rememberedStreams(of vm: String) -> [StreamName] {
        let facts = FactsFile.facts(in: path(of: vm) + "/" + WriterState.name, on: fileSystem)
        return facts.map { WriterState($0).ends.filter { $0.value > .start }.keys.sorted() } ?? []
    }

    private func isStream(_ id: StreamID) -> Bool {
        let layout = StreamLayout(path: path(of: id.vm) + "/" + id.stream.text)
        guard fileSystem.status(layout.path)?.isDirectory == true else {
            return false
        }
        return fileSystem.status(layout.metadata) != nil || layout.holdsFiles(on: fileSystem)
    }

    /// The streams of which something was stored, as `writer.json` remembers, and nothing is left.
    public func lostStreams(of vm: String) throws(SystemError) -> [StreamName] {
        guard isShown(vm) else {
            return []
        }
        let present = Set(try foundStreams(of: vm).map(\.stream))
        return rememberedStreams(of: vm).filter { !present.contains($0) }
    }

    /// A reader of one stream.
    public func reader(of stream: StreamID) -> StreamReader {
        StreamReader(path: path(of: stream), fileSystem: fileSystem)
    }

    /// The folder of one stream, to be watched for change.
    public func folder(of stream: StreamID) -> String { path(of: stream) }

    /// What is fixed for a stream; a console's properties when its facts are missing or unreadable.
    public func properties(of stream: StreamID) -> StreamProperties {
        FactsFile.facts(in: StreamLayout(path: path(of: stream)).metadata, on: fileSystem).map(StreamProperties.init)
            ?? StreamProperties()
    }

    /// Throws ENOTSUP when the facts in the file at `path` are of a newer format than this code's.
    func checkFormat(_ path: String) throws(SystemError) {
        guard case .facts(let facts, _) = try FactsFile.contents(of: path, on: fileSystem),
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
