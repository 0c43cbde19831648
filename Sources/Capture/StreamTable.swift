// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Synchronization

/// The streams open for writing, with their VMs, and the stream of each ring slot. Lives on the writer's thread, except
/// for `announce`.
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

    let vms: OpenVMs
    private let announced = Mutex<[SlotID: Announcement]>([:])
    private var sinksByKey: [StreamKey: StreamSink] = [:]
    private var recordSinks: [StreamKey: RecordSink] = [:]
    /// The keys of both, by VM.
    private var keys: [VMIdentity: Set<StreamKey>] = [:]
    private var bySlot: [[StreamSink?]]

    init(_ vms: OpenVMs, rings: Int) {
        self.vms = vms
        bySlot = Array(repeating: Array(repeating: nil, count: InflightRing.slotCount), count: rings)
    }

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
            guard let open = vms.opened(known.vm), known.uuid != nil else {
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
    /// Returns the folder of its VM, if that is open, for `OpenVMs.noteOnDisk` when all of the stream is on disk.
    func close(_ stream: any OpenStream) -> String? {
        let directory = vms.noteClosed(stream.key.vm)
        stream.forgetStream()
        if stream.isUnused {
            sinksByKey[stream.key] = sinksByKey[stream.key] === stream ? nil : sinksByKey[stream.key]
            recordSinks[stream.key] = recordSinks[stream.key] === stream ? nil : recordSinks[stream.key]
            forgetUnused(stream.key)
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

    /// Releases everything. When everything is on disk, no repair will be needed.
    func close(isSynced: Bool) {
        vms.close(isSynced: isSynced)
        sinksByKey.removeAll()
        recordSinks.removeAll()
        keys.removeAll()
        bySlot.removeAll()
    }
}
