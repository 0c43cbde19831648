// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Synchronization
import SystemIO

/// The streams and VMs open for writing, and the stream of each ring slot. Lives on the writer's thread, except for
/// `announce`.
final class StreamTable: @unchecked Sendable {
    // Sendable because all but the announcements is touched on the writer's thread alone.

    /// A stream's source, as announced by its shard.
    struct Announcement: Sendable {
        var key: StreamKey
        var options: StreamOptions
        var statistics: StreamStatistics
    }

    private struct SlotID: Hashable {
        var ring: Int
        var slot: Int
    }

    private let store: Store
    private let clock: any HostClock
    private let hostBoot: String
    private let quota: @Sendable (VMIdentity) -> Quota
    private let diagnostics: Diagnostics
    private let announced = Mutex<[SlotID: Announcement]>([:])
    private var sinksByKey: [StreamKey: StreamSink] = [:]
    private var recordSinks: [StreamKey: RecordSink] = [:]
    /// The keys of both, by VM.
    private var keys: [VMIdentity: Set<StreamKey>] = [:]
    private var bySlot: [[StreamSink?]]
    private var vms: [VMIdentity: VMStore] = [:]
    /// VMs known by name that have ended, until they are closed, by their folders.
    private var ended: [String: VMStore] = [:]
    /// How many closed streams of a VM are not on disk, and sealed, by its folder: as long as there are any, the VM's
    /// files are not another opener's to repair.
    private var closing: [String: Int] = [:]

    init(
        store: Store,
        rings: Int,
        clock: any HostClock,
        hostBoot: String,
        quota: @escaping @Sendable (VMIdentity) -> Quota,
        diagnostics: Diagnostics
    ) {
        self.quota = quota
        self.store = store
        self.clock = clock
        self.hostBoot = hostBoot
        self.diagnostics = diagnostics
        bySlot = Array(repeating: Array(repeating: nil, count: InflightRing.slotCount), count: rings)
    }

    // MARK: - Streams

    /// Announces the stream of a slot, before the entry that opens it is published; from any thread.
    func announce(_ announcement: Announcement, ring: Int, slot: Int) {
        announced.withLock { $0[SlotID(ring: ring, slot: slot)] = announcement }
    }

    /// Assigns a slot to the stream announced for it.
    func open(ring: Int, slot: Int, for opener: any SinkOpening) -> StreamSink? {
        guard let announcement = announced.withLock({ $0.removeValue(forKey: SlotID(ring: ring, slot: slot)) }) else {
            return nil
        }
        let sink = sink(announcement.key, for: opener)
        sink.configure(announcement.options)
        sink.statistics = announcement.statistics
        sink.openSlots += 1
        bySlot[ring][slot] = sink
        return sink
    }

    /// Releases a slot; returns its stream.
    func close(ring: Int, slot: Int) -> StreamSink? {
        guard let sink = bySlot[ring][slot] else {
            return nil
        }
        bySlot[ring][slot] = nil
        sink.openSlots -= 1
        return sink
    }

    /// The stream of a slot.
    func sink(ring: Int, slot: Int) -> StreamSink? { bySlot[ring][slot] }

    /// The stream with that key, if it is open.
    func sink(_ key: StreamKey) -> StreamSink? { sinksByKey[key] }

    /// The stream with that key; created when there is none.
    private func sink(_ key: StreamKey, isConsole: Bool = true, for opener: any SinkOpening) -> StreamSink {
        if let known = sinksByKey[key] {
            return known
        }
        let sink = StreamSink(key: key, options: StreamOptions(isConsole: isConsole), opener: opener)
        sinksByKey[key] = sink
        keys[key.vm.withoutAlias, default: []].insert(key)
        return sink
    }

    /// The streams of what ended processes have `left`: with the options of their announced sources, if they have any,
    /// and under the present names of their VMs.
    func presentSinks(of left: [Orphans.UncommittedData], for opener: any SinkOpening) -> [StreamSink] {
        let sources = announced.withLock { announced in
            Dictionary(announced.values.map { ($0.key.withoutAlias, $0) }) { first, _ in first }
        }
        return left.map { data in
            let known = data.key.withoutAlias
            if let source = sources[known] {
                let sink = sink(source.key, for: opener)
                sink.configure(source.options)
                return sink
            }
            guard let open = vms[known.vm], known.uuid != nil else {
                return sink(data.key, isConsole: data.isConsole, for: opener)
            }
            let key = StreamKey(vm: open.vm.identity, stream: known.stream)
            return sink(key, isConsole: data.isConsole, for: opener)
        }
    }

    /// Adds a stream of records.
    func add(_ sink: RecordSink) {
        recordSinks[sink.key] = sink
        keys[sink.key.vm.withoutAlias, default: []].insert(sink.key)
    }

    /// The stream of records with that key.
    func recordSink(_ key: StreamKey) -> RecordSink? { recordSinks[key] }

    var allRecordSinks: some Collection<RecordSink> { recordSinks.values }

    /// The streams of consoles.
    var sinks: some Collection<StreamSink> { sinksByKey.values }

    func sinks(of vm: VMIdentity) -> [StreamSink] {
        keys(of: vm).compactMap { sinksByKey[$0] }
    }

    func recordSinks(of vm: VMIdentity) -> [RecordSink] {
        keys(of: vm).compactMap { recordSinks[$0] }
    }

    private func keys(of vm: VMIdentity) -> Set<StreamKey> { keys[vm.withoutAlias] ?? [] }

    /// The streams of both kinds.
    var all: [any OpenStream] { Array(sinksByKey.values) + Array(recordSinks.values) }

    func all(of vm: VMIdentity) -> [any OpenStream] { sinks(of: vm) + recordSinks(of: vm) }

    func hasStreams(of vm: VMIdentity) -> Bool { !keys(of: vm).isEmpty }

    func contains(_ stream: any OpenStream) -> Bool {
        sinksByKey[stream.key] === stream || recordSinks[stream.key] === stream
    }

    /// Closes a stream, and removes it unless it has a source: later output of that belongs to the next VM of its name.
    /// Returns the folder of its VM, if that is open, for `noteOnDisk` when all of the stream is on disk.
    func close(_ stream: any OpenStream) -> String? {
        let directory = vms[stream.key.vm.withoutAlias]?.vm.directory
        stream.forgetStream()
        if stream.isUnused {
            sinksByKey[stream.key] = sinksByKey[stream.key] === stream ? nil : sinksByKey[stream.key]
            recordSinks[stream.key] = recordSinks[stream.key] === stream ? nil : recordSinks[stream.key]
            forgetUnused(stream.key)
        }
        if let directory {
            closing[directory, default: 0] += 1
        }
        return directory
    }

    /// Removes a key under which there is no stream any more from those of its VM.
    private func forgetUnused(_ key: StreamKey) {
        guard sinksByKey[key] == nil, recordSinks[key] == nil else {
            return
        }
        let vm = key.vm.withoutAlias
        keys[vm]?.remove(key)
        if keys[vm]?.isEmpty == true {
            keys[vm] = nil
        }
    }

    // MARK: - VMs

    /// The VM's history, opened when it is not. `waits`: as `VMStore` has it.
    func store(of vm: VMIdentity, waits: Bool) throws(SystemError) -> VMStore {
        if let open = vms[vm.withoutAlias] {
            let isNamed = open.vm.identity.namespace != nil || vm.namespace == nil
            if open.vm.identity.name != vm.name || !isNamed || open.vm.ended != nil {
                try open.rename(to: vm, now: clock.now, waits: waits)
            }
            return open
        }
        let opened = try VMStore(
            store: store,
            name: vm.name,
            uuid: vm.uuid,
            namespace: vm.namespace,
            hostBoot: hostBoot,
            now: clock.now,
            pairTarget: quota(vm).pairTarget,
            waits: waits
        )
        vms[vm.withoutAlias] = opened
        return opened
    }

    /// Marks a VM as deleted. The next one of the name of a VM known by name is another VM. Returns its folder, for
    /// `noteOnDisk` when all of it is on disk.
    func end(_ vm: VMIdentity) throws(SystemError) -> String {
        let open = try store(of: vm, waits: true)
        try open.end(at: clock.now)
        let directory = open.vm.directory
        if vm.withoutAlias.uuid == nil {
            vms[vm.withoutAlias] = nil
            ended[directory] = open
        }
        closing[directory, default: 0] += 1
        return directory
    }

    /// Throws the error that `end` would throw now.
    func checkEnd(of vm: VMIdentity) throws(SystemError) {
        let wasOpen = vms[vm.withoutAlias] != nil
        do throws(SystemError) {
            try store(of: vm, waits: true).checkEnd()
        } catch {
            // It would count as written.
            if !wasOpen, let opened = vms.removeValue(forKey: vm.withoutAlias) {
                close(opened)
            }
            throw error
        }
    }

    /// Notes that a stream or VM that was closed in `directory` is on disk; returns whether all are.
    func noteOnDisk(in directory: String) -> Bool {
        closing[directory, default: 1] -= 1
        guard closing[directory] == 0 else {
            return false
        }
        closing[directory] = nil
        return true
    }

    /// Closes the VM in `directory`, unless one of its streams was opened since, or closed and is not on disk yet; returns
    /// whether it did.
    func closeUnused(_ vm: VMIdentity, in directory: String) -> Bool {
        guard closing[directory] == nil else {
            return false
        }
        if let open = ended.removeValue(forKey: directory) {
            close(open)
            return true
        }
        guard vms[vm.withoutAlias]?.vm.directory == directory, !hasStreams(of: vm),
            let open = vms.removeValue(forKey: vm.withoutAlias)
        else {
            return false
        }
        close(open)
        return true
    }

    /// Releases everything. When everything is on disk, no repair will be needed.
    func close(isSynced: Bool) {
        if isSynced {
            vms.values.forEach(close)
            ended.values.forEach(close)
        }
        vms.removeAll()
        ended.removeAll()
        sinksByKey.removeAll()
        recordSinks.removeAll()
        keys.removeAll()
        bySlot.removeAll()
    }

    private func close(_ vm: VMStore) {
        do {
            try vm.closeCleanly()
        } catch {
            diagnostics.log(.warning, "\(vm.vm.identity.name): not closed cleanly: \(error)")
        }
    }
}
