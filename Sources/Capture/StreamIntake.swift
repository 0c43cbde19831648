import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// Where one stream's bytes enter capture. Lives on its shard's thread.
///
/// Every `receive` takes what the descriptor has, whether it can be kept or not: the guest never waits. What cannot be
/// kept is counted in the ring's slot, so that the count outlives the process, and becomes gap markers: one when the
/// gap opens, one every ten seconds, one when it closes. The marker of a boundary that finds no room waits there too, and
/// comes before the next byte.
public final class StreamIntake {
    let slot: Int
    private let shard: Shard
    private let ring: InflightRing
    private let hasPlainFile: Bool
    private var meter: RateMeter?
    private var isOverflowing = false
    private var gap: OpenGap
    private var lastDrop: Int64 = 0
    /// Boundaries whose markers the ring had no room for.
    private var pending = PendingBoundaries()
    /// Whether the ring has the entry that says what the slot stands for: not before there is something to say.
    private var isOpened = false
    private var isClosed = false
    /// The stream's numbers.
    public let statistics: StreamStatistics

    private let onClose: () -> Void

    init(
        shard: Shard,
        slot: Int,
        options: StreamOptions,
        statistics: StreamStatistics,
        now: Int64,
        onClose: @escaping () -> Void
    ) {
        self.onClose = onClose
        self.shard = shard
        self.slot = slot
        ring = shard.ring
        gap = OpenGap(.shard, in: shard.ring, slot: slot)
        hasPlainFile = options.plainFile != nil
        meter = options.rate.map { RateMeter($0, now: now) }
        self.statistics = statistics
    }

    /// What a read brought.
    public enum Received {
        /// These bytes; valid until the shard's next read.
        case bytes(UnsafeRawBufferPointer)
        /// Nothing is there now.
        case nothing
        /// The other end is closed, or the descriptor failed with that errno.
        case end(Int32?)
    }

    /// Reads once from `descriptor`, which must not block.
    public func receive(from descriptor: Int32) -> Received {
        let now = shard.monotonicNow
        let isOverRate = isOverRate(at: now)
        let room = isOverRate && !hasPlainFile ? nil : roomInRing(closingGap: !isOverRate)
        let received =
            room.map { read(descriptor, into: $0, isPlainOnly: isOverRate) }
            ?? Self.read(descriptor, into: shard.discard)
        guard case .bytes(let bytes) = received else {
            return received
        }
        let time = shard.wallNow
        statistics.receive(bytes.count, at: time)
        // Published first: a gap's marker takes the room behind it.
        if room != nil {
            publish(bytes.count, time: time, isPlainOnly: isOverRate)
            ring.endRead()
        }
        if room == nil || isOverRate {
            drop(bytes, at: now, time: time, reason: isOverRate ? .rateLimit : .overflow)
        } else {
            meter?.spend(bytes.count)
        }
        return received
    }

    /// Whether what is read next has room in the ring, or is over its rate and needs none. A source whose other end can
    /// wait a moment asks before it reads.
    public var hasRoom: Bool {
        let needsRoom = hasPlainFile || !isOverRate(at: shard.monotonicNow)
        return !needsRoom || (ring.held(slot) <= shard.share - InflightRing.maximumPayload && reserve() != nil)
    }

    /// How far the store's writer has come: while this moves, the disk is slow, not stuck.
    public var progress: UInt64 { shard.progress }

    /// Reads what is waiting into `room`, having noted that in the ring first.
    private func read(
        _ descriptor: Int32,
        into room: UnsafeMutableRawBufferPointer,
        isPlainOnly: Bool
    ) -> Received {
        // No more than is known to be there: then the read brings that or nothing. What has come meanwhile is next.
        let waiting = Int(gl_bytes_waiting(descriptor))
        guard waiting >= 0 else {
            return Self.read(descriptor, into: room)
        }
        let part = UnsafeMutableRawBufferPointer(rebasing: room.prefix(max(1, waiting)))
        let flags = isPlainOnly ? InflightRing.plainOnly : 0
        ring.beginRead(part.count, slot: slot, time: shard.wallNow, flags: flags)
        let received = Self.read(descriptor, into: part)
        if case .bytes = received {} else { ring.endRead() }
        return received
    }

    static func read(_ descriptor: Int32, into target: UnsafeMutableRawBufferPointer) -> Received {
        let count = Glibc.read(descriptor, target.baseAddress, target.count)
        if count > 0 {
            return .bytes(UnsafeRawBufferPointer(start: target.baseAddress, count: count))
        }
        if count == 0 {
            return .end(nil)
        }
        return errno == EAGAIN || errno == EINTR ? .nothing : .end(errno)
    }

    /// Takes `bytes` that somebody else has read; what does not fit is dropped with a gap.
    public func put(_ bytes: UnsafeRawBufferPointer) {
        let now = shard.monotonicNow
        let time = shard.wallNow
        statistics.receive(bytes.count, at: time)
        var rest = bytes
        while !rest.isEmpty {
            let isOverRate = isOverRate(at: now)
            let room = isOverRate && !hasPlainFile ? nil : roomInRing(closingGap: !isOverRate)
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(room?.count ?? rest.count))
            if let room {
                room.copyMemory(from: piece)
                publish(piece.count, time: time, isPlainOnly: isOverRate)
            }
            if room == nil || isOverRate {
                drop(piece, at: now, time: time, reason: isOverRate ? .rateLimit : .overflow)
            } else {
                meter?.spend(piece.count)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
        }
    }

    /// Marks what the transport saw: a boot's beginning or end, or a time in which nobody listened. When that time
    /// began is `since`, in microseconds since the Unix epoch; nil: with the stream's last record.
    ///
    /// The marker comes behind all that was received before, and what of that was lost is told before it.
    public func mark(_ boundary: ConsoleBoundary, since: Int64? = nil) {
        guard closeGap(), pending.isEmpty, write(boundary, since: since) else {
            pending.append(boundary)
            ring.setShardBoundaries(slot, pending)
            shard.watch(self)
            return
        }
    }

    private func write(_ boundary: ConsoleBoundary, since: Int64? = nil) -> Bool {
        guard let room = reserve() else {
            return false
        }
        switch boundary {
        case .boot(let event):
            room.storeBytes(of: event.rawValue, as: UInt8.self)
            ring.publish(1, kind: .boot, slot: slot, time: shard.wallNow)
            shard.published()
        case .absence(let reason):
            let since = Timestamp(microseconds: since ?? InflightRing.Loss.unknownSince)
            publish(gap: GapDetail(reason: reason, bytes: nil, lines: 0, since: since, isClosed: true), in: room)
        }
        return true
    }

    /// Writes the markers of boundaries that found no room before; whether none is left.
    private func writePending() -> Bool {
        while let boundary = pending.first {
            guard write(boundary) else {
                return false
            }
            pending.removeFirst()
            ring.setShardBoundaries(slot, pending)
        }
        return true
    }

    /// Counts what was read elsewhere since `since` (microseconds since the Unix epoch) and could not be kept.
    public func countLoss(bytes: Int, lines: Int, since: Int64, reason: GapReason) {
        guard bytes > 0 else {
            return
        }
        statistics.receive(bytes, at: shard.wallNow)
        statistics.drop(bytes)
        lastDrop = shard.monotonicNow
        gap.count(bytes: bytes, lines: lines, at: since, reason: reason)
        if !closeGap() {
            shard.watch(self)
        }
    }

    /// Ends the intake. Its slot is free once the ring has taken the last of it.
    public func close() {
        isClosed = true
        onClose()
        if !finish() {
            shard.watch(self)
        }
    }

    /// Says the last that is to be said of the stream; whether there was room for it.
    private func finish() -> Bool {
        guard isOpened || gap.isOpen || !pending.isEmpty else {
            shard.free(self)
            return true
        }
        guard closeGap(), writePending(), reserve() != nil else {
            return false
        }
        ring.publish(0, kind: .close, slot: slot, time: shard.wallNow)
        shard.published()
        shard.free(self)
        return true
    }

    // MARK: - Keeping

    private func isOverRate(at now: Int64) -> Bool {
        guard meter != nil else {
            return false
        }
        return !meter!.allows(at: now)
    }

    /// Room for an entry; the first of all says what the slot stands for.
    private func reserve() -> UnsafeMutableRawBufferPointer? {
        if !isOpened, ring.reserve() != nil {
            ring.publish(0, kind: .open, slot: slot, time: shard.wallNow)
            shard.published()
            isOpened = true
        }
        return isOpened ? ring.reserve() : nil
    }

    /// Room for a read, unless the stream holds its share of the ring already. The bytes of a gap that ends here get
    /// their marker first.
    ///
    /// Once over, it stays over until half its share is free again, so that a slow disk gives a few long gaps.
    private func roomInRing(closingGap: Bool) -> UnsafeMutableRawBufferPointer? {
        let held = ring.held(slot)
        let share = shard.share
        if held > share - InflightRing.maximumPayload || (isOverflowing && held > share / 2) {
            isOverflowing = true
            return nil
        }
        guard !closingGap || closeGap(), writePending(), let room = reserve() else {
            isOverflowing = true
            return nil
        }
        isOverflowing = false
        return room
    }

    private func publish(_ count: Int, time: Int64, isPlainOnly: Bool) {
        ring.addHeld(slot, count)
        ring.publish(count, kind: .data, slot: slot, time: time, flags: isPlainOnly ? InflightRing.plainOnly : 0)
        shard.published()
    }

    // MARK: - Dropping

    private func drop(_ bytes: UnsafeRawBufferPointer, at now: Int64, time: Int64, reason: GapReason) {
        statistics.drop(bytes.count)
        lastDrop = now
        let lines = gl_count_byte(bytes.baseAddress, bytes.count, Lines.feed)
        let isNew = !gap.isOpen
        gap.count(bytes: bytes.count, lines: lines, at: time, reason: reason)
        if isNew {
            _ = writeGap(isClosed: false)
            shard.watch(self)
        }
    }

    /// Ends the gap with its marker, if one is open; whether none is open now.
    private func closeGap() -> Bool { !gap.isOpen || writeGap(isClosed: true) }

    /// Writes what was lost since the last marker; whether there was room.
    private func writeGap(isClosed: Bool) -> Bool {
        guard let room = reserve() else {
            return false
        }
        let detail = gap.detail(isClosed: isClosed)
        gap.emitted(isClosed: isClosed, at: shard.monotonicNow)
        publish(gap: detail, in: room)
        return true
    }

    private func publish(gap detail: GapDetail, in room: UnsafeMutableRawBufferPointer) {
        let encoded = RecordDetail(gap: detail).encoded
        encoded.withUnsafeBytes { room.copyMemory(from: $0) }
        ring.publish(encoded.count, kind: .gap, slot: slot, time: shard.wallNow)
        shard.published()
    }

    /// Looks at what is still to be said, once a second: closes a gap when nothing was dropped for a second, goes on
    /// telling of it every ten, and ends an intake that could not end for want of room. Whether nothing is left.
    func tend(at now: Int64) -> Bool {
        if isClosed {
            return finish()
        }
        if now - lastDrop >= Shard.tendInterval {
            return closeGap() && writePending()
        }
        if gap.isDue(at: now) {
            _ = writeGap(isClosed: false)
        }
        return !gap.isOpen && pending.isEmpty
    }
}
