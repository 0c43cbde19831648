import LogModel
import SystemIO

/// One VM's history, for its one writer: holds the VM's lock.
///
/// While the VM is open `writer.json` says under which boot of the host: what is found there after a crash tells the
/// death of the process from the death of the host. Streams are repaired when they are opened, which may be much later
/// and by another process; those that the host's death left unrepaired stand there too.
public final class VMStore {
    /// The store around it.
    public let store: Store
    /// The VM.
    public private(set) var vm: Store.VM
    private let lock: StoredFile
    private var state: WriterState
    private var streams: [StreamName: StreamWriter] = [:]

    /// Opens the history of the VM known by that name, UUID and namespace, making it when there is none.
    ///
    /// A UUID is the identity; the name may have changed. Without one, a VM that was deleted does not hand its history
    /// on: the next of its name begins a new one. Throws EWOULDBLOCK when another process writes it, ENOTSUP when a
    /// newer version made it: repairing what is not understood would destroy it.
    public init(
        store: Store,
        name: String,
        uuid: String? = nil,
        namespace: String? = nil,
        hostBoot: String,
        now: Timestamp
    ) throws(SystemError) {
        let fileSystem = store.fileSystem
        // What is no UUID would be a folder's name all the same.
        let uuid = uuid.flatMap(VMIdentity.canonicalUUID)
        var identity = VMIdentity(name: name, uuid: uuid, namespace: namespace)
        if uuid == nil {
            while let earlier = store.vm(in: identity.directoryName), earlier.ended != nil {
                identity.instance += 1
            }
        }
        let known = store.vm(in: identity.directoryName)
        let path = store.path(of: identity.directoryName)
        try store.checkFormat(path + "/vm.json")
        try fileSystem.makeDirectory(path)
        lock = try StoredFile(path + "/lock", .create, on: fileSystem)
        guard lock.tryLock() else {
            throw SystemError("lock (another process writes this VM)", path, code: SystemError.wouldBlock)
        }
        let left = try WriterState(at: path, on: fileSystem)
        let hostDied = left.map { $0.hostBoot != nil && $0.hostBoot != hostBoot } ?? false
        state = left ?? WriterState()
        state.hostBoot = hostBoot
        if hostDied {
            state.unrepaired = Set(try fileSystem.names(in: path).compactMap(StreamName.init))
        }
        try state.write(at: path, on: fileSystem)
        self.store = store
        if let known, known.identity == identity, known.ended == nil {
            vm = known
        } else {
            vm = Store.VM(identity: identity, created: known?.created ?? now)
            try store.write(vm)
        }
    }

    /// The VM, which is known by its UUID, is there again, perhaps under another name.
    public func goOn(as name: String) throws(SystemError) {
        var present = vm
        present.identity.name = name
        present.ended = nil
        try store.write(present)
        vm = present
    }

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
        try store.checkFormat(layout.metadata)
        let hostDied = state.unrepaired.contains(name)
        let actual: StreamProperties
        if let known = store.knownProperties(of: id) {
            actual = known
        } else {
            try write(properties, to: layout)
            actual = properties
        }
        let recovery = StreamRecovery(
            layout: layout,
            fileSystem: store.fileSystem,
            isReplayable: actual.isReplayable,
            hostDied: hostDied
        )
        let recovered = try recovery.recover()
        let writer = StreamWriter(layout: layout, fileSystem: store.fileSystem, recovered: recovered)
        if hostDied || recovered.isEndUncertain {
            let gap = GapDetail(
                reason: hostDied ? .hostRestart : .corruption,
                bytes: hostDied || recovered.lost == 0 ? nil : UInt64(recovered.lost),
                lines: 0,
                since: recovered.activePair?.lastTime ?? now,
                isClosed: true
            )
            // Positions given after an earlier jump may be lost with the jump itself: each stride is used once.
            let stride = max(recovered.nextOffset / StoreLimits.restartStride, state.lastStride) + 1
            try writer.jump(to: stride * StoreLimits.restartStride, gap: gap, time: now)
            state.lastStride = stride
            state.unrepaired.remove(name)
            try state.write(at: vmPath, on: store.fileSystem)
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
        try store.fileSystem.replace("meta.json", in: layout.path, with: facts.bytes + [Lines.feed])
    }

    /// Marks the VM as deleted at `time`: its history is kept for a while, and never continued.
    public func end(at time: Timestamp) throws(SystemError) {
        vm.ended = time
        try store.write(vm)
    }

    /// Declares that everything written is on disk, so that the next opening, even after the host's death, finds
    /// nothing to repair. To be called after a sync, last.
    public func closeCleanly() throws(SystemError) {
        state.hostBoot = nil
        try state.write(at: vmPath, on: store.fileSystem)
    }

    private var vmPath: String { store.path(of: vm.directory) }
}
