import LogModel
import LogStore

/// What of one stream is lost and not yet told of: once when it begins, every ten seconds while it lasts, once when it
/// ends, a marker tells what was lost since the one before.
///
/// The shard has one, for what found no room in the ring or came too fast; the writer has one, for what could not be
/// stored. The counts lie in the stream's slot of the ring, so that they outlive the process. When they move they are
/// taken away first: death in between loses a count and doubles none.
struct OpenGap {
    /// Which of the slot's two counts it is.
    enum Counter {
        case shard, writer
    }

    /// How often a gap that lasts is told of, in microseconds.
    static let markerInterval: Int64 = 10_000_000

    private let counter: Counter
    private var place: (ring: InflightRing, slot: Int)?
    /// Whether something was lost and its closing marker is not written.
    private(set) var isOpen = false
    /// Monotonic time of the last marker.
    private var lastTold: Int64?

    init(_ counter: Counter, in ring: InflightRing, slot: Int) {
        self.counter = counter
        place = (ring, slot)
    }

    /// A count that has no slot until `move`.
    init(_ counter: Counter) {
        self.counter = counter
    }

    private var loss: InflightRing.Loss {
        guard let place else {
            return InflightRing.Loss()
        }
        return switch counter {
        case .shard: place.ring.shardLoss(place.slot)
        case .writer: place.ring.writerLoss(place.slot)
        }
    }

    private func set(_ loss: InflightRing.Loss) {
        guard let place else {
            return
        }
        switch counter {
        case .shard: place.ring.setShardLoss(place.slot, loss)
        case .writer: place.ring.setWriterLoss(place.slot, loss)
        }
    }

    /// Counts what was lost at `time` (microseconds since the Unix epoch).
    mutating func count(bytes: Int, lines: Int, at time: Int64, reason: GapReason) {
        var loss = loss
        if !isOpen {
            isOpen = true
            lastTold = nil
            loss.since = time
            loss.reason = UInt64(reason.rawValue)
        }
        loss.bytes += UInt64(bytes)
        loss.lines += UInt64(lines)
        set(loss)
    }

    /// Whether a gap that lasts is to be told of again, at `now` (monotonic microseconds).
    func isDue(at now: Int64) -> Bool {
        isOpen && lastTold.map { now - $0 >= Self.markerInterval } ?? true
    }

    /// The marker that tells what was lost since the last one.
    func marker(isClosed: Bool) -> RecordDetail {
        let loss = loss
        let gap = GapDetail(
            reason: GapReason(rawValue: UInt8(truncatingIfNeeded: loss.reason)) ?? .overflow,
            bytes: loss.bytes,
            lines: loss.lines,
            since: Timestamp(microseconds: loss.since),
            isClosed: isClosed
        )
        return RecordDetail(gap: gap)
    }

    /// That marker is written.
    mutating func told(isClosed: Bool, at now: Int64) {
        let loss = loss
        set(isClosed ? InflightRing.Loss() : InflightRing.Loss(since: loss.since, reason: loss.reason))
        isOpen = !isClosed
        lastTold = now
    }

    /// Counts from now on in another slot, and takes along what is counted.
    mutating func move(to ring: InflightRing, slot: Int) {
        guard !isCounted(in: ring, slot) else {
            return
        }
        let moved = loss
        if isOpen {
            set(InflightRing.Loss())
        }
        place = (ring, slot)
        if isOpen {
            set(moved)
        }
    }

    /// Takes up what the slot's stream lost and nobody else will tell of, whoever counted it.
    mutating func adopt(from ring: InflightRing, slot: Int) {
        var left = [ring.shardLoss(slot)]
        ring.setShardLoss(slot, InflightRing.Loss())
        if !isCounted(in: ring, slot) {
            left.append(ring.writerLoss(slot))
            ring.setWriterLoss(slot, InflightRing.Loss())
        }
        move(to: ring, slot: slot)
        for loss in left where loss.bytes > 0 {
            let reason = GapReason(rawValue: UInt8(truncatingIfNeeded: loss.reason)) ?? .overflow
            count(bytes: Int(clamping: loss.bytes), lines: Int(clamping: loss.lines), at: loss.since, reason: reason)
        }
    }

    private func isCounted(in ring: InflightRing, _ slot: Int) -> Bool {
        place.map { $0.ring === ring && $0.slot == slot } ?? false
    }
}
