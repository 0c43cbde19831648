import LogModel
import SystemIO

/// One VM's history, for its one writer: holds the VM's lock.
///
/// The lock file says, while the VM is open, under which boot of the host: what is found there after a crash tells
/// the death of the process from the death of the host.
public final class VMStore {
    /// The store around it.
    public let store: Store
    /// The VM.
    public private(set) var vm: Store.VM
    private let lock: StoredFile
    private let hostBoot: String
    /// Whether the host died while the VM was last written.
    public let hostDied: Bool
    private var streams: [StreamName: StreamWriter] = [:]

    /// Opens the history of the VM known by that name, UUID and namespace, making it when there is none.
    ///
    /// A UUID is the identity; the name may have changed. Without one, a VM that was deleted does not hand its history
    /// on: the next of its name begins a new one. Throws EWOULDBLOCK when another process writes it.
    public init(
        store: Store,
        name: String,
        uuid: String? = nil,
        namespace: String? = nil,
        hostBoot: String,
        now: Timestamp
    ) throws(SystemError) {
        let fileSystem = store.fileSystem
        var identity = VMIdentity(name: name, uuid: uuid, namespace: namespace)
        if uuid == nil {
            while let earlier = store.vm(in: identity.directoryName), earlier.ended != nil {
                identity.instance += 1
            }
        }
        let path = store.path(of: identity.directoryName)
        try fileSystem.makeDirectory(path)
        lock = try StoredFile(path + "/lock", .create, on: fileSystem)
        guard lock.tryLock() else {
            throw SystemError("lock (another process writes this VM)", path, code: SystemError.wouldBlock)
        }
        let before = try lock.read(at: 0, count: Self.hostBootLimit)
        hostDied = !before.isEmpty && before != Array(hostBoot.utf8)
        try lock.truncate(to: 0)
        try lock.write(at: 0, Array(hostBoot.utf8))
        try lock.synchronize()
        self.store = store
        self.hostBoot = hostBoot
        if let known = store.vm(in: identity.directoryName), known.identity == identity, known.ended == nil {
            vm = known
        } else {
            let created = store.vm(in: identity.directoryName)?.created ?? now
            vm = Store.VM(identity: identity, created: created)
            try store.write(vm)
        }
    }

    private static let hostBootLimit = 128

    /// The stream `name`, recovered and ready to be appended to; made with `properties` when there is none.
    public func open(
        _ name: StreamName,
        properties: StreamProperties = StreamProperties(),
        now: Timestamp
    ) throws(SystemError) -> StreamWriter {
        if let open = streams[name] {
            return open
        }
        let id = StreamID(vm: vm.directory, stream: name)
        let layout = StreamLayout(path: store.path(of: id))
        try store.fileSystem.makeDirectory(layout.path)
        if store.fileSystem.status(layout.metadata) == nil {
            try write(properties, to: layout)
        }
        let actual = store.properties(of: id)
        let recovery = StreamRecovery(
            layout: layout,
            fileSystem: store.fileSystem,
            isReplayable: actual.isReplayable,
            hostDied: hostDied
        )
        let recovered = try recovery.recover()
        let writer = StreamWriter(layout: layout, fileSystem: store.fileSystem, recovered: recovered)
        if hostDied, recovered.nextOffset > 0 {
            let stride = StoreLimits.restartStride
            try writer.jump(to: (recovered.nextOffset / stride + 1) * stride, reason: .hostRestart, time: now)
        }
        streams[name] = writer
        return writer
    }

    private func write(_ properties: StreamProperties, to layout: StreamLayout) throws(SystemError) {
        let facts = JSON.object([
            ("format", .integer(Int64(StoreLimits.formatVersion))),
            ("encoding", .string(properties.encoding.rawValue)),
            ("clock", .string(properties.clock.rawValue)),
            ("replayable", .bool(properties.isReplayable)),
        ])
        try store.fileSystem.replace(layout.metadata, with: facts.bytes + [Lines.feed])
    }

    /// Marks the VM as deleted at `time`: its history is kept for a while, and never continued.
    public func end(at time: Timestamp) throws(SystemError) {
        vm.ended = time
        try store.write(vm)
    }

    /// Declares that everything written is on disk, so that the next opening, even after the host's death, finds
    /// nothing to repair. To be called after a sync, last.
    public func closeCleanly() throws(SystemError) {
        try lock.truncate(to: 0)
    }
}

extension SystemError {
    /// EWOULDBLOCK.
    public static let wouldBlock: Int32 = 11
}
