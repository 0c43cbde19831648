// SPDX-License-Identifier: Apache-2.0

import SystemIO

// How the writer recovers what ended processes left in their rings.
extension StoreWriter {
    /// How long the data of an ended process waits for a new source of its stream, in microseconds.
    private static let orphanTimeout: Int64 = 2_000_000
    /// More rings of ended processes than this are the work of a crash loop.
    private static let fewRings = 64

    /// Recovers the data of ended processes in `rings`, which belong to this store; before `run`.
    func adopt(_ rings: [InflightRing]) {
        orphans = Orphans(rings)
        orphanDeadline = rings.isEmpty ? .max : clock.monotonicMicroseconds() + Self.orphanTimeout
        if rings.count <= Self.fewRings {
            recovered.signal()
        }
    }

    /// Recovers the data of ended processes that no new source of its stream has recovered in time, or all; then
    /// removes their rings.
    func recover(at now: Int64, takesAll: Bool) {
        guard orphanDeadline < .max else {
            return
        }
        if now >= orphanDeadline || takesAll {
            streams.presentSinks(of: orphans.latest, for: self).forEach { adopt(into: $0, at: now) }
        }
        if orphans.isEmpty {
            orphanDeadline = .max
            removeSpent(&orphans.rings)
            recovered.signal()
        }
    }

    /// Commits what ended processes had read of a stream and not committed, and records their losses.
    func adopt(into sink: StreamSink, at now: Int64) {
        let uncommitted = orphans.take(sink.key)
        guard !uncommitted.isEmpty else {
            return
        }
        waitingForLocks { commit(uncommitted, into: sink, at: now) }
        release(sink)
    }

    private func commit(_ uncommitted: [Orphans.UncommittedData], into sink: StreamSink, at now: Int64) {
        for left in uncommitted {
            sink.adoptWriterMarkers(ring: left.ring, slot: left.slot)
            writeUnrecorded(of: sink, at: now)
            sink.resumePlain(left)
            for entry in left.entries {
                sink.enqueue(entry, ring: left.ring, at: now)
                flush(sink, at: now)
            }
            sink.adoptShardMarkers(ring: left.ring, slot: left.slot)
            writeUnrecorded(of: sink, at: now)
        }
    }
}
