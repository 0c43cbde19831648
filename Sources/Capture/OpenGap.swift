// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// The losses of one stream that are not yet recorded. A marker is written when the gap begins, while it lasts as
/// `GapMarkerPacing` says, and when it ends; each counts the losses since the one before.
///
/// The shard has one for bytes that did not fit into the ring or exceeded the rate; the writer has one for bytes that
/// could not be stored. The counts are in the stream's slot of the ring, so that they outlive the process. When they
/// are moved they are first removed from the old slot: a crash in between loses a count and never doubles one.
struct OpenGap {
    /// Which of the slot's two counts it is.
    enum Counter {
        case shard, writer

        func loss(_ ring: InflightRing, _ slot: Int) -> InflightRing.Loss {
            switch self {
            case .shard: ring.shardLoss(slot)
            case .writer: ring.writerLoss(slot)
            }
        }

        func set(_ loss: InflightRing.Loss, _ ring: InflightRing, _ slot: Int) {
            switch self {
            case .shard: ring.setShardLoss(slot, loss)
            case .writer: ring.setWriterLoss(slot, loss)
            }
        }
    }

    private let counter: Counter
    private var location: (ring: InflightRing, slot: Int)?
    /// Whether something was lost and the closing marker is not written.
    private(set) var isOpen = false
    private var pacing = GapMarkerPacing()

    init(_ counter: Counter, in ring: InflightRing, slot: Int) {
        self.counter = counter
        location = (ring, slot)
    }

    /// A count without a slot until `move`.
    init(_ counter: Counter) {
        self.counter = counter
    }

    private var loss: InflightRing.Loss { location.map { counter.loss($0.ring, $0.slot) } ?? InflightRing.Loss() }

    private func set(_ loss: InflightRing.Loss) {
        if let location {
            counter.set(loss, location.ring, location.slot)
        }
    }

    /// Counts a loss at `time` (microseconds since the Unix epoch).
    mutating func count(bytes: Int, lines: Int, at time: Int64, reason: GapReason) {
        var loss = loss
        if !isOpen {
            isOpen = true
            pacing = GapMarkerPacing()
            loss.since = time
            loss.reason = UInt64(reason.rawValue)
        }
        loss.bytes &+= UInt64(bytes)
        loss.lines &+= UInt64(lines)
        set(loss)
    }

    /// Whether another marker of a gap that lasts is due, at `now` (monotonic microseconds).
    func isDue(at now: Int64) -> Bool {
        isOpen && pacing.isDue(at: now)
    }

    /// The contents of the next marker: the losses since the last one.
    func detail(isClosed: Bool) -> GapDetail {
        let loss = loss
        return GapDetail(
            reason: loss.gapReason,
            bytes: loss.bytes,
            lines: loss.lines,
            since: Timestamp(microseconds: loss.since),
            isClosed: isClosed
        )
    }

    /// Records that the marker was written.
    mutating func emitted(isClosed: Bool, at now: Int64) {
        let loss = loss
        set(isClosed ? InflightRing.Loss() : InflightRing.Loss(since: loss.since, reason: loss.reason))
        isOpen = !isClosed
        pacing.noteMarker(at: now)
    }

    /// Counts in another slot from now on, and moves the current counts there.
    mutating func move(to ring: InflightRing, slot: Int) {
        guard !isCounted(in: ring, slot) else {
            return
        }
        let moved = loss
        if isOpen {
            set(InflightRing.Loss())
        }
        location = (ring, slot)
        if isOpen {
            set(moved)
        }
    }

    /// Adopts the losses that `other`, of an ended process or a closed shard, counted in that slot and did not record
    /// in a marker.
    mutating func adopt(_ other: Counter, from ring: InflightRing, slot: Int) {
        let left = other.loss(ring, slot)
        guard left.bytes > 0, other != counter || !isOpen || !isCounted(in: ring, slot) else {
            return
        }
        other.set(InflightRing.Loss(), ring, slot)
        move(to: ring, slot: slot)
        count(
            bytes: Int(clamping: left.bytes),
            lines: Int(clamping: left.lines),
            at: left.since,
            reason: left.gapReason
        )
    }

    private func isCounted(in ring: InflightRing, _ slot: Int) -> Bool {
        location.map { $0.ring === ring && $0.slot == slot } ?? false
    }
}

extension InflightRing.Loss {
    var gapReason: GapReason { GapReason(rawValue: UInt8(truncatingIfNeeded: reason)) ?? .overflow }
}
