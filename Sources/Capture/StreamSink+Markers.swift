// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

// The markers of a stream: gaps, boots, absences.
extension StreamSink {
    func handle(special entry: InflightRing.Entry) {
        if replay != nil, isReady(at: lastCommit) {
            endReplay(at: lastCommit)
        }
        switch entry.kind {
        case .gap:
            var detail = RecordDetail(decoding: Array(entry.payload))
            let isReady = isReady(at: lastCommit)
            if detail.gap?.since.microseconds == InflightRing.Loss.unknownSince {
                detail.gap?.since = writer?.lastRecordTime ?? Timestamp(microseconds: entry.time)
            }
            let stamp = Timestamp(microseconds: entry.time)
            let isThere = isReady && (watchReplay(detail, at: stamp) || mark(detail, stamp, lastCommit))
            if !isThere, let loss = detail.gap {
                // The store cannot be written: the shard's loss is added to the writer's.
                if let bytes = loss.bytes {
                    gap.count(
                        bytes: Int(clamping: bytes),
                        lines: Int(clamping: loss.lines),
                        at: loss.since.microseconds,
                        reason: .storeFailure
                    )
                } else {
                    keep(.absence(loss.reason))
                }
            }
        case .boot:
            guard let event = entry.payload.first.flatMap(BootEvent.init) else {
                return
            }
            if isSilent, !unwritten.isFull {
                silentSince = unwritten.isEmpty ? entry.time : silentSince
                keep(.boot(event))
            } else if !isReady(at: lastCommit) || !write(.boot(event), at: entry.time) {
                keep(.boot(event))
            }
        case .data, .padding, .open, .close:
            // Bytes over the rate go to the plain file only.
            break
        }
    }

    /// Boots are kept from now on. The stream is created in the store when there is text, or when the writer has time.
    func beginSilence(at now: Int64) {
        isSilent = true
        lastCommit = now
    }

    /// Writes the marker of a boundary; returns whether that succeeded.
    func write(_ boundary: ConsoleBoundary, at time: Int64, isBeforeText: Bool = false) -> Bool {
        guard let writer else {
            return false
        }
        let stamp = Timestamp(microseconds: time)
        switch boundary {
        case .boot(let event):
            if event.isByTransport {
                mark(detector.note(event), at: lastCommit)
            }
            let detail = RecordDetail(boot: BootDetail(event: event, position: writer.nextOffset))
            guard mark(detail, stamp, lastCommit, isBeforeText: isBeforeText) else {
                return false
            }
            if event == .closed {
                writer.roll()
            }
            return true
        case .absence(let reason):
            let since = writer.lastRecordTime ?? stamp
            let gap = GapDetail(reason: reason, bytes: nil, lines: 0, since: since, isClosed: true)
            return mark(RecordDetail(gap: gap), stamp, lastCommit, isBeforeText: isBeforeText)
        }
    }

    /// Keeps a boundary whose marker cannot be written now.
    func keep(_ boundary: ConsoleBoundary) {
        silentSince = unwritten.isFull ? nil : silentSince
        unwritten.append(boundary)
    }

    /// Writes the markers of kept boundaries; returns whether none is left.
    func writePendingBoundaries(at now: Int64, isBeforeText: Bool) -> Bool {
        while let boundary = unwritten.first {
            guard write(boundary, at: silentSince ?? opener.wallNow, isBeforeText: isBeforeText) else {
                return false
            }
            silentSince = nil
            unwritten.removeFirst()
        }
        return true
    }

    /// Writes what is unrecorded before the sink is released.
    func writeUnrecorded(at now: Int64) {
        decideBoots(at: now)
        if gap.isOpen || writer == nil || !unwritten.isEmpty {
            _ = isReady(at: now)
        }
    }

    /// Adopts the writer's unrecorded losses of an ended process: they precede the entries of that process.
    func adoptWriterMarkers(ring: InflightRing, slot: Int) {
        gap.adopt(.writer, from: ring, slot: slot)
        let left = ring.writerBoundaries(slot)
        ring.setWriterBoundaries(slot, PendingBoundaries())
        keep(left, in: ring, slot)
    }

    /// Adopts the unrecorded losses of a closed shard: they follow its entries.
    func adoptShardMarkers(ring: InflightRing, slot: Int) {
        gap.adopt(.shard, from: ring, slot: slot)
        let left = ring.shardBoundaries(slot)
        ring.setShardBoundaries(slot, PendingBoundaries())
        keep(left, in: ring, slot)
    }

    func keep(_ left: PendingBoundaries, in ring: InflightRing, _ slot: Int) {
        move(to: ring, slot: slot)
        var left = left
        while let boundary = left.first {
            keep(boundary)
            left.removeFirst()
        }
    }
}
