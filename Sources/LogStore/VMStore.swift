// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// One VM's history, for a process that writes streams of it. Others may write other streams.
///
/// While the VM is open `writer.json` has the boot id of the host: after a crash it distinguishes a crash of the
/// process from one of the host. Streams are repaired when they are opened, which may be much later and by another
/// process; the file also lists streams not yet repaired after a host crash, and the end of each stream that was closed
/// cleanly.
public final class VMStore {
    public let store: Store
    public private(set) var vm: Store.VM
    private var lock: VMLock
    /// The writers' state, when it was used last: another process may have changed it since.
    private var state: WriterState
    /// Whether `state` is in its file. That of a new VM is written with its first stream.
    private var isStateWritten: Bool
    private let hostBoot: String
    private let pairTarget: Int
    private var streams: [StreamName: StreamWriter] = [:]

    /// Opens the history of the VM with that name, UUID and namespace; creates it when there is none.
    ///
    /// A UUID is the identity; the name may have changed. A deleted VM without a UUID does not pass its history on: the
    /// next one of its name begins a new one. Throws EWOULDBLOCK when an earlier version writes it in another process;
    /// ENOTSUP when a newer version created it, because repairing an unknown format would destroy it; EPERM when the UUID is known in
    /// another namespace.
    ///
    /// `pairTarget`: how much text a pair of a fast stream gets before it is closed, in bytes. With `waits`, it waits up to a
    /// second while another process changes the VM's metadata; otherwise that is EBUSY at once.
    public init(
        store: Store,
        name: String,
        uuid: String? = nil,
        namespace: String? = nil,
        hostBoot: String,
        now: Timestamp,
        pairTarget: Int = StoreLimits.blockTarget,
        waits: Bool = true
    ) throws(SystemError) {
        self.pairTarget = pairTarget
        // An invalid UUID would become a folder's name.
        let uuid = uuid.flatMap(VMIdentity.canonicalUUID)
        var identity = VMIdentity(name: name, uuid: uuid, namespace: namespace)
        if uuid == nil {
            identity = try store.presentInstance(of: identity)
        }
        self.store = store
        self.hostBoot = hostBoot
        (vm, lock, state, isStateWritten) = try Self.openFolder(
            of: identity,
            in: store,
            hostBoot: hostBoot,
            now: now,
            waits: waits
        )
    }

    /// Locks the VM's folder, and writes the VM's metadata and the writer's state.
    private static func openFolder(
        of identity: VMIdentity,
        in store: Store,
        hostBoot: String,
        now: Timestamp,
        waits: Bool
    ) throws(SystemError) -> (Store.VM, VMLock, WriterState, isStateWritten: Bool) {
        let fileSystem = store.fileSystem
        let known = store.vm(in: identity.directoryName)
        var identity = identity
        if identity.uuid != nil {
            // A source that knows no namespaces takes none away.
            identity.namespace = identity.namespace ?? known?.identity.namespace
        }
        let path = store.path(of: identity.directoryName)
        try store.checkFormat(path + "/vm.json")
        // A client that may name VMs in one namespace must not get the history of a VM in another.
        if let owner = known?.identity.namespace, let namespace = identity.namespace, owner != namespace {
            throw SystemError(
                "open for namespace \(namespace)",
                path,
                code: SystemError.notPermitted,
                reason:
                    "the VM with this UUID is in namespace \(owner); use another UUID for this one, or remove that log"
            )
        }
        try fileSystem.clear(path, for: .directory)
        do throws(SystemError) {
            try fileSystem.makeDirectory(path)
        } catch {
            guard error.code == SystemError.notFound else {
                throw error
            }
            // The store itself was removed.
            try fileSystem.makeDirectory(store.root)
            try fileSystem.makeDirectory(path)
        }
        let lock = try VMLock(in: path, on: fileSystem)
        let (vm, state, isWritten) = try lock.exclusively(waits: waits) { () throws(SystemError) in
            try begin(identity, in: store, hostBoot: hostBoot, now: now)
        }
        return (vm, lock, state, isWritten)
    }

    /// Writes the metadata of a VM whose folder is there, and the writers' state if there is one.
    private static func begin(
        _ identity: VMIdentity,
        in store: Store,
        hostBoot: String,
        now: Timestamp
    ) throws(SystemError) -> (Store.VM, WriterState, isStateWritten: Bool) {
        let fileSystem = store.fileSystem
        let known = store.vm(in: identity.directoryName)
        let path = store.path(of: identity.directoryName)
        let left = try WriterState(at: path, on: fileSystem)
        // Without a state there is no text.
        let hostDied = left.map { $0.hostBoot != nil && $0.hostBoot != hostBoot } ?? false
        var state = left ?? WriterState()
        if left == nil {
            state.firstStride = RemovedVMs(in: store).stride(of: identity.directoryName)
            state.lastStride = state.firstStride
        }
        state.hostBoot = hostBoot
        if hostDied {
            state.unrepaired = Set(try fileSystem.names(in: path).compactMap(StreamName.init))
        }
        try fileSystem.clear(path + "/" + WriterState.name, for: .regular)
        if left != nil {
            try state.write(at: path, on: fileSystem)
        }
        if let known, known.metadataProblem == nil, known.identity == identity, known.ended == nil {
            return (known, state, left != nil)
        }
        let vm = Store.VM(identity: identity, created: known?.created ?? now)
        // Of a new VM it is on disk with the first text, after the next sync.
        try store.write(vm, isDurable: known != nil)
        return (vm, state, left != nil)
    }

    /// Gives the VM, which is identified by its UUID, the name that `identity` has, and its namespace if it has none; it
    /// has not ended then. A VM whose history was removed begins a new one.
    public func rename(to identity: VMIdentity, now: Timestamp, waits: Bool = true) throws(SystemError) {
        try reopenIfMoved(now: now, waits: waits)
        var present = vm
        present.identity.name = identity.name
        present.identity.namespace = vm.identity.namespace ?? identity.namespace
        present.ended = nil
        try store.write(present)
        vm = present
    }

    /// The stream `name`, recovered and ready for appends; created with `properties` when there is none. A stream whose
    /// files were removed or moved since it was opened is recreated, and begins with a gap that counts the loss. Throws
    /// EWOULDBLOCK when another process writes the stream, and EBUSY when one changes the VM's metadata: at once, or if this
    /// `waits`, after a second.
    public func open(
        _ name: StreamName,
        properties: StreamProperties = StreamProperties(),
        now: Timestamp,
        waits: Bool = true
    ) throws(SystemError) -> StreamWriter {
        let earlier = streams[name]
        if let earlier, earlier.isInPlace {
            return earlier
        }
        try reopenIfMoved(now: now, waits: waits)
        guard lock.take(name) else {
            throw SystemError(
                "lock",
                store.path(of: StreamID(vm: vm.directory, stream: name)),
                code: SystemError.wouldBlock,
                reason: "another process writes this stream"
            )
        }
        return try lock.exclusively(waits: waits) { () throws(SystemError) in
            try refreshState()
            return try open(name, properties, after: earlier, now: now)
        }
    }

    /// Takes over what other processes have changed in the writers' state. While the VM is open the file has this boot; if
    /// it has not, it is damaged, and is written again.
    private func refreshState() throws(SystemError) {
        if let present = try WriterState(at: vmPath, on: store.fileSystem), present.hostBoot == hostBoot {
            state = present
        }
    }

    /// Opens a stream whose lock is held, while no other process changes the VM's metadata; `earlier` wrote it before its
    /// files were moved or removed.
    private func open(
        _ name: StreamName,
        _ properties: StreamProperties,
        after earlier: StreamWriter?,
        now: Timestamp
    ) throws(SystemError) -> StreamWriter {
        let id = StreamID(vm: vm.directory, stream: name)
        let layout = StreamLayout(path: store.path(of: id))
        try store.fileSystem.clear(layout.path, for: .directory)
        try makeFolder(of: layout)
        try store.checkFormat(layout.metadata)
        let hostDied = state.unrepaired.contains(name)
        let actual = try ensureMetadata(id, properties, layout)
        var recovery = StreamRecovery(
            layout: layout,
            fileSystem: store.fileSystem,
            isReplayable: actual.isReplayable,
            hostDied: hostDied,
            isBeingSealed: earlier != nil,
            knownEnd: state.ends[name] ?? .start
        )
        let sealed = SealedExtents(of: layout, on: store.fileSystem)
        recovery.knownEnd.advance(to: sealed?.end ?? 0)
        recovery.removedSource = sealed?.source ?? SourcePosition()
        let recovered = try recovery.recover()
        let writer = StreamWriter(
            layout: layout,
            properties: actual,
            fileSystem: store.fileSystem,
            recovered: recovered,
            pairTarget: pairTarget
        )
        let lost = earlier.map { $0.lost(whenFoundAt: recovered.foundEnd) } ?? 0
        if hostDied || recovered.isEndUncertain || lost > 0 {
            let bytes = max(lost, UInt64(recovered.lost))
            let gap = GapDetail(
                reason: hostDied ? .hostRestart : .corruption,
                bytes: hostDied || bytes == 0 ? nil : bytes,
                lines: 0,
                since: recovered.activePair?.lastTime ?? now,
                isClosed: true
            )
            // Positions assigned after an earlier jump may be lost with the jump itself: each stride is used once.
            let position = max(recovered.nextOffset, earlier?.nextOffset ?? 0)
            let stride = max(position / StoreLimits.restartStride, state.lastStride) + 1
            try writer.jump(to: stride * StoreLimits.restartStride, gap: gap, time: now)
            state.lastStride = stride
            state.unrepaired.remove(name)
            try state.write(at: vmPath, on: store.fileSystem)
        } else if recovered.nextOffset < state.firstStride * StoreLimits.restartStride {
            // Outputs and cursors may have positions in the history that was removed.
            let gap = GapDetail(reason: .retention, bytes: nil, lines: 0, since: now, isClosed: true)
            try writer.jump(to: state.firstStride * StoreLimits.restartStride, gap: gap, time: now)
        }
        streams[name] = writer
        return writer
    }

    /// Creates the folder of a stream when there is none. Its name and the writer's state are on disk before any text: a
    /// position that was used is not used again, even if the text is lost with the host.
    private func makeFolder(of layout: StreamLayout) throws(SystemError) {
        let isNew = store.fileSystem.status(layout.path) == nil
        try store.fileSystem.makeDirectory(layout.path)
        if !isStateWritten {
            try state.write(at: vmPath, on: store.fileSystem)
            isStateWritten = true
        } else if isNew {
            try store.fileSystem.synchronizeDirectory(vmPath)
        }
    }

    /// Recreates the VM's folder when it, or the store, was removed or moved since.
    private func reopenIfMoved(now: Timestamp, waits: Bool) throws(SystemError) {
        let present = store.fileSystem.status(VMLock.path(in: vmPath))?.identity
        guard lock.identity == nil || present != lock.identity else {
            return
        }
        let (lastStride, firstStride) = (state.lastStride, state.firstStride)
        (vm, lock, state, isStateWritten) = try Self.openFolder(
            of: vm.identity,
            in: store,
            hostBoot: hostBoot,
            now: now,
            waits: waits
        )
        state.lastStride = max(state.lastStride, lastStride)
        state.firstStride = max(state.firstStride, firstStride)
        streams.keys.forEach { _ = lock.take($0) }
    }

    /// Writes the properties of a stream when they are missing or damaged; returns the effective ones.
    private func ensureMetadata(
        _ id: StreamID,
        _ properties: StreamProperties,
        _ layout: StreamLayout
    ) throws(SystemError) -> StreamProperties {
        let fileSystem = store.fileSystem
        let hasFiles = try !layout.extents(on: fileSystem).isEmpty
        try fileSystem.clear(layout.extentsFile, for: .regular)
        // Written by an earlier version, or damaged: from now on the existing files are recorded.
        if hasFiles, SealedExtents(of: layout, on: fileSystem) == nil {
            try SealedExtents.update(layout, on: fileSystem) { _ in }
        }
        switch try MetadataFile.contents(of: layout.metadata, on: fileSystem) {
        case .metadata(let metadata, let agree) where agree != false:
            return StreamProperties(metadata)
        default:
            try fileSystem.clear(layout.metadata, for: .regular)
            let text = MetadataFile.text(of: properties.metadata)
            // Of a new stream it is on disk with the first text, after the next sync.
            try fileSystem.replace("meta.json", in: layout.path, with: text, isDurable: hasFiles)
            return properties
        }
    }

    /// Marks the VM as deleted at `time`: its history is kept for a while, and never continued. Throws EWOULDBLOCK when
    /// another process writes the VM too.
    public func end(at time: Timestamp) throws(SystemError) {
        try requireLock()
        var ended = vm
        ended.ended = time
        try store.write(ended)
        vm = ended
    }

    /// Throws the error that `end` would throw now: writes the VM's metadata as they are.
    public func checkEnd() throws(SystemError) {
        try requireLock()
        try store.write(vm)
    }

    private func requireLock() throws(SystemError) {
        guard lock.isAlone else {
            throw SystemError("end", vmPath, code: SystemError.wouldBlock, reason: VMLock.isWritten)
        }
    }

    /// Records that everything written is on disk, so that the next opening needs no repair, even after a host crash,
    /// unless another process writes the VM. To be called after a sync, last.
    public func closeCleanly() throws(SystemError) {
        try lock.exclusively(waits: true) { () throws(SystemError) in
            // Of two processes that end at the same time the second one sees that it is alone.
            lock.endPresence()
            try refreshState()
            state.hostBoot = lock.isAlone ? nil : hostBoot
            for (name, writer) in streams {
                state.ends[name] = writer.end
            }
            try state.write(at: vmPath, on: store.fileSystem)
        }
    }

    private var vmPath: String { store.path(of: vm.directory) }
}
