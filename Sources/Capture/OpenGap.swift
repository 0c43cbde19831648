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

    /// How often a gap that lasts is told of, in microseconds.
    static let markerInterval: Int64 = 10_000_000

    private let counter: Counter
    private var place: (ring: InflightRing, slot: Int)?
    /// Whether something was lost and its closing marker is not written.
    private(set) var isOpen = false
    /// Monotonic time of the last marker.
    private var lastEmitted: Int64?

    init(_ counter: Counter, in ring: InflightRing, slot: Int) {
        self.counter = counter
        place = (ring, slot)
    }

    /// A count that has no slot until `move`.
    init(_ counter: Counter) {
        self.counter = counter
    }

    private var loss: InflightRing.Loss { place.map { counter.loss($0.ring, $0.slot) } ?? InflightRing.Loss() }

    private func set(_ loss: InflightRing.Loss) {
        if let place {
            counter.set(loss, place.ring, place.slot)
        }
    }

    /// Counts what was lost at `time` (microseconds since the Unix epoch).
    mutating func count(bytes: Int, lines: Int, at time: Int64, reason: GapReason) {
        var loss = loss
        if !isOpen {
            isOpen = true
            lastEmitted = nil
            loss.since = time
            loss.reason = UInt64(reason.rawValue)
        }
        loss.bytes &+= UInt64(bytes)
        loss.lines &+= UInt64(lines)
        set(loss)
    }

    /// Whether a gap that lasts is to be told of again, at `now` (monotonic microseconds).
    func isDue(at now: Int64) -> Bool {
        isOpen && lastEmitted.map { now - $0 >= Self.markerInterval } ?? true
    }

    /// What the next marker says: what was lost since the last one.
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

    /// That marker is written.
    mutating func emitted(isClosed: Bool, at now: Int64) {
        let loss = loss
        set(isClosed ? InflightRing.Loss() : InflightRing.Loss(since: loss.since, reason: loss.reason))
        isOpen = !isClosed
        lastEmitted = now
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

    /// Takes up what `other`, of a process that has ended or of a shard that has, counted in that slot and told in no
    /// marker.
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
        place.map { $0.ring === ring && $0.slot == slot } ?? false
    }
}

extension InflightRing.Loss {
    /// Why, as a marker says it.
    var gapReason: GapReason { GapReason(rawValue: UInt8(truncatingIfNeeded: reason)) ?? .overflow }
}
