// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

// What other threads ask of the writer, and what it does at its end.
extension StoreWriter {
    /// Closes all active pairs after a failed sync, so that nothing is appended to files that may be lost.
    func rollAll() {
        for stream in streams.all {
            guard let writer = stream.writer, let id = stream.id else {
                continue
            }
            writer.roll()
            seal(writer, id)
        }
    }

    /// Opens the plain files that other programs have replaced or removed.
    func reopenPlainFiles() {
        for stream in streams.all {
            (stream as? StreamSink)?.reopenPlainFile()
        }
    }

    /// Commits a stream's entries below `head` in a ring.
    func commit(_ key: StreamKey, ring: Int, upTo head: UInt64) {
        let now = clock.monotonicMicroseconds()
        while scan[ring] < head, drain(at: now) {
            advanceTails()
        }
        guard let sink = streams.sink(key) else {
            return
        }
        settle(sink, at: now)
    }

    /// Marks a VM as deleted and releases it.
    func end(_ key: VMIdentity) throws(SystemError) {
        // Earlier output belongs to it: left in the rings it would begin the history of the next VM of its name. A turn
        // takes a part of a ring; the number of turns is bounded, so a guest that continues to write does not delay
        // this without end.
        for _ in 0...(rings[0].capacity / Int(Self.bytesPerTurn)) where drain(at: clock.monotonicMicroseconds()) {
            advanceTails()
        }
        let now = clock.monotonicMicroseconds()
        for sink in streams.sinks(of: key) {
            waitingForLocks {
                flush(sink, at: now)
                openIfSilent(sink, at: now)
            }
            endReplay(of: sink, at: now)
        }
        for sink in streams.recordSinks(of: key) {
            // Bounded for the same reason. A source adds fewer gaps and markers than batches.
            for _ in 0...(2 * RecordIntake.limit / RecordSink.bytesPerTurn) where sink.commit(at: now) {}
            hasWritten(sink)
        }
        for stream in streams.all(of: key) {
            stream.writer?.roll()
            failing[ObjectIdentifier(stream)] = nil
            closeStream(stream)
        }
        // What could not be stored of it is not stored later either.
        problems.clear(folder: key.withoutInstance.directoryName)
        noteWhenOnDisk(nil, of: key, in: try streams.vms.end(key))
    }

    /// Removes the files of empty rings. A ring with bytes that could not be committed, or losses that could not be
    /// recorded, is left to the next process.
    func removeRings() {
        var all = rings + orphans.rings
        removeSpent(&all)
    }

    func removeSpent(_ rings: inout [InflightRing]) {
        rings.removeAll { ring in
            let isSpent = ring.isSpent
            if isSpent {
                ring.removeFile()
            }
            return isSpent
        }
    }

    /// Releases everything, after the thread's end. When everything is on disk, no repair will be needed.
    func close(isSynced: Bool) {
        streams.close(isSynced: isSynced)
        failing.removeAll()
        awaitingQuiet.removeAll()
        pacer.removeAll()
    }
}
