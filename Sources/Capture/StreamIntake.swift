// SPDX-License-Identifier: Apache-2.0

import CBytes
import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// The entry point of one stream's bytes. Lives on its shard's thread.
///
/// Every `receive` reads available bytes, whether they can be stored or not: the guest never waits. Bytes that cannot
/// be stored are counted in the ring's slot, so that the count outlives the process, and become gap markers: one when
/// the gap opens, one every ten seconds, one when it closes. The marker of a boundary that does not fit waits there
/// too, and precedes the next byte.
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
    /// Whether the ring has the slot's `open` entry; it is written with the first other entry.
    private var isOpened = false
    private var isClosed = false
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

    /// The result of a read.
    public enum Received {
        /// Bytes; valid until the shard's next read.
        case bytes(UnsafeRawBufferPointer)
        /// Nothing is available.
        case nothing
        /// The other end is closed, or the descriptor failed with that errno.
        case end(Int32?)
    }

    func receive(from descriptor: Int32) -> Received {
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
        statistics.receive(bytes.count)
        // Published first: a gap's marker takes the space after it.
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

    /// Whether the ring has room for the next read, or the bytes are over the rate and need none. Sources whose other
    /// end can wait briefly check before reading.
    var hasRoom: Bool {
        let needsRoom = hasPlainFile || !isOverRate(at: shard.monotonicNow)
        return !needsRoom || (!isOverShare && reserve() != nil)
    }

    /// Whether everything that was received is committed and in the plain file.
    var isCommitted: Bool { ring.held(slot) == 0 }

    /// The writer's progress: while it increases, the disk is slow, not blocked.
    var progress: UInt64 { shard.progress }

    /// Reads available bytes into `room`, after noting the read in the ring.
    private func read(
        _ descriptor: Int32,
        into room: UnsafeMutableRawBufferPointer,
        isPlainOnly: Bool
    ) -> Received {
        // At most what is known to be available: then the read returns that or nothing. Bytes that arrive meanwhile are
        // read next.
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

    /// Accepts `bytes` that were read elsewhere; what does not fit is dropped and counted as a gap.
    public func put(_ bytes: UnsafeRawBufferPointer) {
        let now = shard.monotonicNow
        let time = shard.wallNow
        statistics.receive(bytes.count)
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

    /// Records a boundary that the transport saw: the begin or end of a boot, or a time without capture that began at
    /// `since`, in microseconds since the Unix epoch; nil: at the stream's last record.
    ///
    /// The marker follows everything received before, and the markers of losses before it.
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

    /// Writes the markers of pending boundaries; returns whether none is left.
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

    /// Counts bytes that were read elsewhere since `since` (microseconds since the Unix epoch) and not stored.
    func countLoss(bytes: Int, lines: Int, since: Int64, reason: GapReason) {
        guard bytes > 0 else {
            return
        }
        statistics.receive(bytes)
        statistics.drop(bytes)
        lastDrop = shard.monotonicNow
        gap.count(bytes: bytes, lines: lines, at: since, reason: reason)
        if !closeGap() {
            shard.watch(self)
        }
    }

    /// Ends the intake. Its slot is released after the ring has the last of its entries.
    public func close() {
        isClosed = true
        onClose()
        if !finish() {
            shard.watch(self)
        }
    }

    /// Writes the last entries of the stream; returns whether there was room.
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

    // MARK: - Storing

    private func isOverRate(at now: Int64) -> Bool {
        guard meter != nil else {
            return false
        }
        return !meter!.allows(at: now)
    }

    /// Space for an entry; the first one is the slot's `open` entry.
    private func reserve() -> UnsafeMutableRawBufferPointer? {
        if !isOpened, ring.reserve() != nil {
            ring.publish(0, kind: .open, slot: slot, time: shard.wallNow)
            shard.published()
            isOpened = true
        }
        return isOpened ? ring.reserve() : nil
    }

    /// Whether the stream uses its share of the ring already. After a drop it does until half its share is free again,
    /// so that a slow disk makes a few long gaps.
    private var isOverShare: Bool {
        let held = ring.held(slot)
        return held > shard.share - InflightRing.maximumPayload || (isOverflowing && held > shard.share / 2)
    }

    /// Space for a read, unless the stream uses its share of the ring already. If a gap ends here, its marker is
    /// written first.
    private func roomInRing(closingGap: Bool) -> UnsafeMutableRawBufferPointer? {
        guard !isOverShare, !closingGap || closeGap(), writePending(), let room = reserve() else {
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

    /// Ends an open gap with its marker; returns whether none is open now.
    private func closeGap() -> Bool { !gap.isOpen || writeGap(isClosed: true) }

    /// Writes a marker of the losses since the last one; returns whether there was room.
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

    /// Called once a second while markers are unwritten: closes a gap after a second without losses, writes another
    /// marker of a longer one every ten, and completes an intake that could not end without room. Returns whether
    /// nothing is left.
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
