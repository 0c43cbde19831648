import LogModel
import LogStore
import Synchronization
import SystemIO

/// Which streams and VMs are open for writing, and which of them each slot of the rings stands for. Lives on the
/// writer's thread, but for `announce`.
final class StreamTable: @unchecked Sendable {
    // Sendable because all but the announcements is touched on the writer's thread alone.

    /// A stream's source, as its shard announces it.
    struct Announcement: Sendable {
        var key: StreamKey
        var options: StreamOptions
        var statistics: StreamStatistics
    }

    /// One ring's slot.
    private struct SlotID: Hashable {
        var ring: Int
        var slot: Int
    }

    private let store: Store
    private let clock: any HostClock
    private let hostBoot: String
    private let diagnostics: Diagnostics
    private let announced = Mutex<[SlotID: Announcement]>([:])
    private var sinksByKey: [StreamKey: StreamSink] = [:]
    private var bySlot: [[StreamSink?]]
    private var vms: [VMIdentity: VMStore] = [:]
    /// How often each open VM has lost a stream.
    private var releases: [VMIdentity: Int] = [:]

    init(store: Store, rings: Int, clock: any HostClock, hostBoot: String, diagnostics: Diagnostics) {
        self.store = store
        self.clock = clock
        self.hostBoot = hostBoot
        self.diagnostics = diagnostics
        bySlot = Array(repeating: Array(repeating: nil, count: InflightRing.slotCount), count: rings)
    }

    // MARK: - Streams

    /// Says what the slot will stand for, before the entry that opens it is published; from any thread.
    func announce(_ announcement: Announcement, ring: Int, slot: Int) {
        announced.withLock { $0[SlotID(ring: ring, slot: slot)] = announcement }
    }

    /// Makes a slot stand for the stream that was announced for it.
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

    /// Makes a slot stand for nothing; the stream it stood for.
    func close(ring: Int, slot: Int) -> StreamSink? {
        guard let sink = bySlot[ring][slot] else {
            return nil
        }
        bySlot[ring][slot] = nil
        sink.openSlots -= 1
        return sink
    }

    /// The stream that a slot stands for.
    func sink(ring: Int, slot: Int) -> StreamSink? { bySlot[ring][slot] }

    /// The stream known by that key, made when there is none.
    func sink(_ key: StreamKey, for opener: any SinkOpening) -> StreamSink {
        if let known = sinksByKey[key] {
            return known
        }
        let sink = StreamSink(key: key, options: StreamOptions(), opener: opener)
        sinksByKey[key] = sink
        return sink
    }

    /// All streams.
    var sinks: some Collection<StreamSink> { sinksByKey.values }

    /// The streams of one VM.
    func sinks(of vm: VMKey) -> [StreamSink] {
        sinksByKey.values.filter { $0.key.vm.identity == vm.identity }
    }

    func contains(_ sink: StreamSink) -> Bool { sinksByKey[sink.key] === sink }

    /// Lets go of a stream; what its source goes on saying, if it has one, belongs to the next VM of its name. How often
    /// its VM has lost a stream by now.
    @discardableResult
    func remove(_ sink: StreamSink) -> Int {
        sinksByKey[sink.key] = nil
        defer { replace(sink) }
        releases[sink.key.vm.identity, default: 0] += 1
        return releases[sink.key.vm.identity] ?? 0
    }

    private func replace(_ sink: StreamSink) {
        guard sink.openSlots > 0 else {
            return
        }
        let fresh = StreamSink(following: sink)
        sinksByKey[sink.key] = fresh
        for ring in bySlot.indices {
            for slot in bySlot[ring].indices where bySlot[ring][slot] === sink {
                bySlot[ring][slot] = fresh
            }
        }
    }

    // MARK: - VMs

    /// The VM's history, opened when it is not.
    func vm(_ key: VMKey) throws(SystemError) -> VMStore {
        if let open = vms[key.identity] {
            if open.vm.identity.name != key.name || open.vm.ended != nil {
                try open.rename(to: key.name)
            }
            return open
        }
        let vm = try VMStore(
            store: store,
            name: key.name,
            uuid: key.uuid,
            namespace: key.namespace,
            hostBoot: hostBoot,
            now: Timestamp(microseconds: clock.wallMicroseconds())
        )
        vms[key.identity] = vm
        return vm
    }

    /// Marks a VM as deleted. One that is known by its name is let go: the next of its name is another.
    func end(_ key: VMKey) throws(SystemError) {
        try vm(key).end(at: Timestamp(microseconds: clock.wallMicroseconds()))
        if key.identity.uuid == nil {
            vms[key.identity] = nil
        }
    }

    /// Closes a VM of which everything is on disk, unless a stream of it was opened again, or was and is gone since.
    func closeUnused(_ key: VMKey, after release: Int) {
        guard sinks(of: key).isEmpty, releases[key.identity] == release,
            let vm = vms.removeValue(forKey: key.identity)
        else {
            return
        }
        releases[key.identity] = nil
        close(vm)
    }

    /// What was announced of a stream that has said nothing yet.
    func announcedOptions(of key: StreamKey) -> StreamOptions? {
        announced.withLock { $0.values.first { $0.key == key }?.options }
    }

    /// Lets go of everything. When all of it is on disk, it needs no repair.
    func close(isSynced: Bool) {
        if isSynced {
            vms.values.forEach(close)
        }
        vms.removeAll()
        sinksByKey.removeAll()
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
