// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

// How the writer opens and closes streams.
extension StoreWriter {
    /// Announces the stream of a slot, before the entry that opens it is published; from the shard.
    func announce(_ announcement: StreamTable.Announcement, ring: Int, slot: Int) {
        streams.announce(announcement, ring: ring, slot: slot)
    }

    func open(_ slot: Int, of ring: Int, at now: Int64) {
        guard let sink = streams.open(ring: ring, slot: slot, for: self) else {
            return
        }
        // A VM has the name under which one of its streams was opened last.
        for earlier in deferred.openings(underEarlierNamesOf: sink.key.vm) {
            waitingForLocks { settle(earlier, at: now) }
        }
        adopt(into: sink, at: now)
        if sink.writer == nil, !sink.gap.isOpen, sink.retryAt == nil {
            sink.beginSilence(at: now)
            deferred.add(.opening(sink))
        } else {
            writeUnrecorded(of: sink, at: now)
        }
    }

    func writeUnrecorded(of sink: StreamSink, at now: Int64) {
        sink.writeUnrecorded(at: now)
        hasWritten(sink)
    }

    /// Creates a silent stream in the store now.
    func openIfSilent(_ sink: StreamSink, at now: Int64) {
        if sink.isSilent {
            writeUnrecorded(of: sink, at: now)
        }
    }

    /// Commits the queued entries of a stream, creates it in the store, and releases it if it has no source.
    func settle(_ sink: StreamSink, at now: Int64) {
        if sink.hasPending {
            flush(sink, at: now)
        }
        openIfSilent(sink, at: now)
        release(sink)
    }

    /// At the end: does all deferred work, and empties the rings between two items.
    func doAllDeferred() {
        while doDeferred(at: clock.monotonicMicroseconds(), early: true) {
            _ = turn(at: clock.monotonicMicroseconds(), takesAll: false)
        }
    }

    /// Does the next item of deferred work if it is due, or `early`; returns whether it did.
    func doDeferred(at now: Int64, early: Bool = false) -> Bool {
        guard let due = deferred.due, early || due <= now, let item = deferred.takeFirst() else {
            return false
        }
        let begin = clock.monotonicMicroseconds()
        switch item {
        case .opening(let sink):
            sink.isSilent = false
            writeUnrecorded(of: sink, at: now)
            release(sink)
        case .closing(let vm, let directory):
            if streams.vms.closeUnused(vm, in: directory, hasStreams: streams.hasStreams(of: vm)) {
                sealer.perform { $0?.forget(vm: directory) }
                noteReleased(vm)
            }
        }
        deferred.note(begin: begin, end: clock.monotonicMicroseconds())
        pulse.step()
        return true
    }

    func close(_ slot: Int, of ring: Int, at now: Int64) {
        if let sink = streams.close(ring: ring, slot: slot) {
            flush(sink, at: now)
            sink.decideBoots(at: now)
            release(sink)
        }
    }

    /// Releases a stream without a source after all its losses are recorded; and after its last stream, the VM, once
    /// everything is on disk.
    func release(_ stream: any OpenStream) {
        guard stream.isUnused, stream.retryAt == nil, streams.contains(stream) else {
            return
        }
        if let writer = stream.writer, writer.activeLength >= StoreLimits.idleSealMinimum {
            writer.roll()
        }
        closeStream(stream)
    }

    /// Passes on a stream's closed pairs, and closes it; its VM with it when it was the last one, once everything is on
    /// disk.
    func closeStream(_ stream: any OpenStream) {
        let id = stream.id
        if let writer = stream.writer, let id {
            seal(writer, id)
            writer.closeFiles()
        }
        if let id {
            notifier.ended(id)
        }
        if let directory = streams.close(stream) {
            noteWhenOnDisk(id, of: stream.key.vm, in: directory)
        } else {
            // Its VM was deleted.
            noteReleased(stream.key.vm)
        }
    }

    private func noteReleased(_ vm: VMIdentity) {
        if !streams.hasStreams(of: vm) {
            onReleased(vm)
        }
    }

    /// Notes when what was closed of a VM is on disk: the stream `id`, or all.
    func noteWhenOnDisk(_ id: StreamID?, of vm: VMIdentity, in directory: String) {
        sealer.whenOnDisk(id) { [weak self] in
            self?.post { writer in
                if writer.streams.vms.noteOnDisk(in: directory) {
                    writer.deferred.add(.closing(vm, directory: directory))
                }
            }
        }
    }

    /// At the end: stores what might have been a replay.
    func endReplays(at now: Int64) {
        for case let sink as StreamSink in streams.all where sink.replay != nil {
            endReplay(of: sink, at: now)
        }
    }

    func endReplay(of sink: StreamSink, at now: Int64) {
        sink.endReplay(at: now)
        hasWritten(sink)
    }

    /// At the end: records losses that the shards counted and had no room for.
    func flushLossCounters(at now: Int64) {
        for (number, ring) in rings.enumerated() {
            for slot in 0..<ring.slotsUsed where ring.hasUnwrittenMarkers(slot) {
                if streams.sink(ring: number, slot: slot) == nil {
                    // The ring was too full for the entry that opens it.
                    open(slot, of: number, at: now)
                }
                if let sink = streams.sink(ring: number, slot: slot) {
                    sink.adoptShardMarkers(ring: ring, slot: slot)
                    writeUnrecorded(of: sink, at: now)
                }
            }
        }
    }
}
