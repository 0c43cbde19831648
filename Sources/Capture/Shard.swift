import CLinux
import Glibc
import LogModel
import SystemIO

/// One epoll thread with its ring: where the descriptors of a share of the VMs live.
public final class Shard: @unchecked Sendable {
    // Sendable because all but `loop` is touched on the loop's thread alone.

    /// The thread's loop.
    public let loop: EventLoop
    /// The ring to the store's writer.
    let ring: InflightRing
    private let clock: any HostClock
    private let wakeWriter: @Sendable () -> Void
    private let writerProgress: @Sendable () -> UInt64
    /// Slots whose stream is gone, and the ring's head then: what is behind it is not theirs.
    private var freeSlots: [(slot: Int, head: UInt64)] = []
    private var nextSlot = 0
    private var openCount = 0
    private var hasPublished = false
    /// Intakes with something left to say, by slot.
    private var watched: [Int: StreamIntake] = [:]
    private var watchTimer: EventLoop.TimerToken?
    /// Where bytes go that are read only to be counted.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: InflightRing.maximumPayload, alignment: 64)

    init(
        loop: EventLoop,
        ring: InflightRing,
        clock: any HostClock,
        wakeWriter: @escaping @Sendable () -> Void,
        writerProgress: @escaping @Sendable () -> UInt64
    ) {
        self.loop = loop
        self.ring = ring
        self.clock = clock
        self.wakeWriter = wakeWriter
        self.writerProgress = writerProgress
        loop.afterTurn = { [unowned self] in endTurn() }
    }

    /// How far the store's writer has come: while this moves, the disk is slow, not stuck.
    var progress: UInt64 { writerProgress() }

    deinit {
        scratch.deallocate()
    }

    private func endTurn() {
        if hasPublished {
            hasPublished = false
            ring.lastTurn = wallNow
            wakeWriter()
        }
    }

    /// A place in the ring for one stream. Loop's thread only.
    func openIntake(
        _ key: StreamKey,
        options: StreamOptions,
        statistics: StreamStatistics,
        onClose: @escaping () -> Void
    ) throws(CaptureService.OpenError) -> StreamIntake {
        guard let encoded = key.encoded else {
            throw .unusableName
        }
        guard let slot = takeSlot() else {
            throw .tooManyStreams
        }
        do throws(SystemError) {
            try ring.setKey(encoded, of: slot)
        } catch {
            // Only a slot that was never used can be refused, and that is the last one: its number is given back, so that
            // all below `nextSlot` have memory.
            nextSlot -= 1
            throw .noMemory(error)
        }
        openCount += 1
        return StreamIntake(
            shard: self,
            slot: slot,
            options: options,
            statistics: statistics,
            now: monotonicNow,
            onClose: onClose
        )
    }

    /// A slot of which nothing is in the ring any more, neither an entry nor a marker that is still to be written.
    private func takeSlot() -> Int? {
        let tail = ring.tail
        let isFree = { [ring] (slot: Int, head: UInt64) in
            head <= tail && !ring.writerLoss(slot).isOpen && !ring.hasUnwrittenMarkers(slot)
        }
        if let place = freeSlots.firstIndex(where: isFree) {
            return freeSlots.remove(at: place).slot
        }
        guard nextSlot < InflightRing.slotCount else {
            return nil
        }
        nextSlot += 1
        return nextSlot - 1
    }

    /// Gives an intake's slot back; the key stays until it is used again.
    func free(_ intake: StreamIntake) {
        openCount -= 1
        watched[intake.slot] = nil
        freeSlots.append((intake.slot, ring.head))
    }

    /// What one stream may hold of the ring: 1 MiB or its fair share, whichever is more.
    var share: Int { max(1 << 20, ring.capacity / max(1, openCount)) }

    var wallNow: Int64 { clock.wallMicroseconds() }
    var monotonicNow: Int64 { clock.monotonicMicroseconds() }
    var discard: UnsafeMutableRawBufferPointer { scratch }

    func published() {
        hasPublished = true
    }

    /// Reads once what is not to be stored, for those who watch.
    public func receiveUnstored(from descriptor: Int32) -> StreamIntake.Received {
        StreamIntake.read(descriptor, into: scratch)
    }

    // MARK: - What is left to say

    /// How often it is tried, in microseconds. Nothing to say, no timer.
    static let tendInterval: Int64 = 1_000_000
    func watch(_ intake: StreamIntake) {
        watched[intake.slot] = intake
        if watchTimer == nil {
            watchTimer = loop.schedule(afterMicroseconds: Self.tendInterval) { [unowned self] in tendWatched() }
        }
    }

    private func tendWatched() {
        watchTimer = nil
        let now = monotonicNow
        for (slot, intake) in watched where intake.tend(at: now) {
            watched[slot] = nil
        }
        endTurn()
        if !watched.isEmpty {
            watchTimer = loop.schedule(afterMicroseconds: Self.tendInterval) { [unowned self] in tendWatched() }
        }
    }
}
