// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The store's folder, for readers: its VMs and their streams.
///
/// Reading requires permission only, no lock and no daemon.
public struct Store: Sendable {
    public let root: String
    public let fileSystem: any FileSystem
    /// The visible VMs; others are treated as absent: they have no streams, no text and no size.
    private var shown = VMPattern.all
    /// What readers leave out because this user may not read it; nil: they throw the error.
    public private(set) var forbidden: ForbiddenFiles?

    public init(root: String, fileSystem: any FileSystem = LinuxFileSystem()) {
        self.root = root
        self.fileSystem = fileSystem
    }

    /// The same store, restricted to these VMs.
    public func showing(_ vms: VMPattern) -> Store {
        var store = self
        store.shown = vms
        return store
    }

    /// The same store, for users who may not read all of it: readers leave out what is forbidden, and add it to `forbidden`.
    public func leavingOut(_ forbidden: ForbiddenFiles) -> Store {
        var store = self
        store.forbidden = forbidden
        return store
    }

    /// Whether readers leave out what `error` concerns.
    func leavesOut(_ error: SystemError) -> Bool { forbidden?.add(error) ?? false }

    public struct VM: Hashable, Sendable {
        public var identity: VMIdentity
        public let directory: String
        public var created: Timestamp
        public var ended: Timestamp?
        /// What is wrong with `vm.json`; nil when it is valid. Otherwise the identity is derived from the folder's
        /// name.
        public var metadataProblem: String?

        init(identity: VMIdentity, directory: String? = nil, created: Timestamp, ended: Timestamp? = nil) {
            self.identity = identity
            self.directory = directory ?? identity.directoryName
            self.created = created
            self.ended = ended
        }
    }

    /// Locked by the one process that enforces the limits of the whole store.
    var lockPath: String { root + "/lock" }

    func path(of vm: String) -> String { root + "/" + vm }
    /// The folder of a stream; for a hidden VM a folder that does not exist.
    func path(of stream: StreamID) -> String {
        (isShown(stream.vm) ? path(of: stream.vm) : root + "/" + Self.nowhere) + "/" + stream.stream.text
    }
    /// No VM's folder has that name, because VMs' folder names contain no `/`.
    private static let nowhere = "access/hidden"
    func metadataPath(_ vm: String) -> String { root + "/" + vm + "/vm.json" }

    /// All VMs, by name, then by age; other folders are skipped.
    public func vms() throws(SystemError) -> [VM] {
        try fileSystem.names(in: root).compactMap(vm(in:)).sorted {
            ($0.identity.name, $0.created, $0.directory) < ($1.identity.name, $1.created, $1.directory)
        }
    }

    /// The names of the folders that may be VMs'.
    public func folders() throws(SystemError) -> Set<String> { Set(try fileSystem.names(in: root)) }

    /// The VM in that folder, or nil when none is visible there.
    public func vm(in directory: String) -> VM? {
        guard let vm = whole(directory) ?? damaged(directory), shown.contains(vm.identity) else {
            return nil
        }
        return vm
    }

    /// Which of the VMs with the name of `identity`, which has no UUID, is written now: one that has not ended, or the next
    /// after all that have.
    func presentInstance(of identity: VMIdentity) throws(SystemError) -> VMIdentity {
        if let first = vm(in: identity.directoryName), first.ended == nil {
            return identity
        }
        var last = identity
        // By name: each of thousands may have to be read otherwise. Retention may have removed the first ones.
        let prefix = identity.directoryName + "~"
        for name in fileSystem.status(root) == nil ? [] : try fileSystem.names(in: root) where name.hasPrefix(prefix) {
            last.instance = max(last.instance, Int(Int32(name.dropFirst(prefix.count)) ?? 0))
        }
        if vm(in: last.directoryName)?.ended != nil {
            last.instance += 1
        }
        return last
    }

    /// The VM whose metadata can be read.
    private func whole(_ directory: String) -> VM? {
        let contents = try? MetadataFile.contents(of: metadataPath(directory), on: fileSystem)
        guard case .metadata(let metadata, let agree)? = contents,
            let name = metadata["name"]?.text, let created = metadata["created"]?.integer
        else {
            return nil
        }
        let identity = VMIdentity(
            name: name,
            uuid: metadata["uuid"]?.text,
            namespace: metadata["namespace"]?.text,
            instance: Int(metadata["instance"]?.integer ?? 0)
        )
        guard identity.directoryName == directory else {
            return nil
        }
        var vm = VM(
            identity: identity,
            created: Timestamp(microseconds: created),
            ended: metadata["ended"]?.integer.map { Timestamp(microseconds: $0) }
        )
        vm.metadataProblem = agree == false ? "does not agree with its checksum" : nil
        return vm
    }

    /// The VM whose metadata is missing or damaged, and whose folder has a log: identified by the folder's name.
    private func damaged(_ directory: String) -> VM? {
        guard let identity = VMIdentity(directoryName: directory),
            let status = fileSystem.status(path(of: directory)), status.isDirectory
        else {
            return nil
        }
        let problem: String
        switch try? MetadataFile.contents(of: metadataPath(directory), on: fileSystem) {
        case .absent?:
            // A folder without metadata and without streams is being created.
            let streams = (try? foundStreams(of: directory)) ?? []
            guard !streams.isEmpty || !rememberedStreams(of: directory).isEmpty else {
                return nil
            }
            problem = "is missing"
        case .unreadable(let reason)?: problem = reason
        case .metadata?: problem = "is not this VM's"
        case nil: return nil
        }
        let created = Timestamp(microseconds: status.modifiedMicroseconds)
        var vm = VM(identity: identity, directory: directory, created: created)
        vm.metadataProblem = problem
        return vm
    }

    /// Whether the folder may have a visible VM.
    private func isShown(_ directory: String) -> Bool {
        shown == .all || vm(in: directory) != nil
    }

    func write(_ vm: VM, isDurable: Bool = true) throws(SystemError) {
        var metadata: [(String, JSON)] = [
            ("format", .integer(Int64(StoreLimits.formatVersion))),
            ("name", .string(vm.identity.name)),
            ("created", .integer(vm.created.microseconds)),
        ]
        if let uuid = vm.identity.uuid {
            metadata.append(("uuid", .string(uuid)))
        }
        if let namespace = vm.identity.namespace {
            metadata.append(("namespace", .string(namespace)))
        }
        if vm.identity.instance > 0 {
            metadata.append(("instance", .integer(Int64(vm.identity.instance))))
        }
        if let ended = vm.ended {
            metadata.append(("ended", .integer(ended.microseconds)))
        }
        try fileSystem.clear(metadataPath(vm.directory), for: .regular)
        try fileSystem.replace(
            "vm.json",
            in: path(of: vm.directory),
            with: MetadataFile.text(of: metadata),
            isDurable: isDurable
        )
    }

    /// A VM's streams, by name: the folders with metadata or text.
    public func streams(of vm: String) throws(SystemError) -> [StreamID] {
        guard isShown(vm) else {
            return []
        }
        do throws(SystemError) {
            return try foundStreams(of: vm)
        } catch {
            guard leavesOut(error) else {
                throw error
            }
            return []
        }
    }

    private func foundStreams(of vm: String) throws(SystemError) -> [StreamID] {
        try fileSystem.names(in: path(of: vm)).compactMap(StreamName.init).sorted()
            .map { StreamID(vm: vm, stream: $0) }
            .filter(isStream)
    }

    /// The streams that `writer.json` recorded when the VM was last closed.
    private func rememberedStreams(of vm: String) -> [StreamName] {
        let metadata = MetadataFile.metadata(in: path(of: vm) + "/" + WriterState.name, on: fileSystem)
        return metadata.map { WriterState($0).ends.filter { $0.value > .start }.keys.sorted() } ?? []
    }

    private func isStream(_ id: StreamID) -> Bool {
        let layout = StreamLayout(path: path(of: id.vm) + "/" + id.stream.text)
        guard fileSystem.status(layout.path)?.isDirectory == true else {
            return false
        }
        if fileSystem.status(layout.metadata) != nil || layout.holdsFiles(on: fileSystem) {
            return true
        }
        if forbidden != nil {
            // A folder that must not be listed looks like one without files: it is noted.
            do throws(SystemError) {
                _ = try fileSystem.names(in: layout.path)
            } catch {
                _ = leavesOut(error)
            }
        }
        return false
    }

    /// The streams that `writer.json` records and of which nothing is left.
    public func lostStreams(of vm: String) throws(SystemError) -> [StreamName] {
        guard isShown(vm) else {
            return []
        }
        let present = Set(try foundStreams(of: vm).map(\.stream))
        return rememberedStreams(of: vm).filter { !present.contains($0) }
    }

    /// A reader of `stream`, one of `group`.
    public func reader(of stream: StreamID, group: ReaderGroup = ReaderGroup()) -> StreamReader {
        StreamReader(path: path(of: stream), fileSystem: fileSystem, group: group, forbidden: forbidden)
    }

    public func folder(of stream: StreamID) -> String { path(of: stream) }

    /// The properties of a stream; those of a console when its metadata is missing or unreadable.
    public func properties(of stream: StreamID) -> StreamProperties {
        let metadata = MetadataFile.metadata(in: StreamLayout(path: path(of: stream)).metadata, on: fileSystem)
        return metadata.map(StreamProperties.init) ?? StreamProperties()
    }

    /// Throws ENOTSUP when the metadata in the file at `path` is of a newer format.
    func checkFormat(_ path: String) throws(SystemError) {
        guard case .metadata(let metadata, _) = try MetadataFile.contents(of: path, on: fileSystem),
            let version = metadata["format"]?.integer, version > StoreLimits.formatVersion
        else {
            return
        }
        throw SystemError(
            "open for writing",
            path,
            code: SystemError.notSupported,
            reason: "format \(version) is a newer guestlog's; this one writes \(StoreLimits.formatVersion)"
        )
    }

    /// The disk usage of `vm`, in bytes; each file counts as `StoreLimits.fileCost` at least.
    public func usage(of vm: String) throws(SystemError) -> Int {
        var total = 0
        for stream in try streams(of: vm) {
            total += try usage(of: stream)
        }
        return total
    }

    /// The disk usage of one stream, its quarantine included.
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
                total += status.diskUsage
            }
        }
        return total
    }
}
