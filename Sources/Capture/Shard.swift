// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// One epoll thread with its ring: it drains the descriptors of a part of the VMs.
public final class Shard: @unchecked Sendable {
    // Sendable because all but `loop` is touched on the loop's thread alone.

    public let loop: EventLoop
    /// Its number among the shards, and that of its ring.
    let number: Int
    let ring: InflightRing
    private let clock: any HostClock
    private let wakeWriter: @Sendable () -> Void
    private let writerProgress: @Sendable () -> UInt64
    /// Slots whose stream is closed, and the ring's head then: later entries are not theirs.
    private var freeSlots: [(slot: Int, head: UInt64)] = []
    private var nextSlot = 0
    private var openCount = 0
    private var hasPublished = false
    /// Intakes with unwritten markers, by slot.
    private var watched: [Int: StreamIntake] = [:]
    private var watchTimer: EventLoop.TimerToken?
    /// The buffer for bytes that are read only to be counted.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: InflightRing.maximumPayload, alignment: 64)

    init(
        number: Int,
        loop: EventLoop,
        ring: InflightRing,
        clock: any HostClock,
        wakeWriter: @escaping @Sendable () -> Void,
        writerProgress: @escaping @Sendable () -> UInt64
    ) {
        self.number = number
        self.loop = loop
        self.ring = ring
        self.clock = clock
        self.wakeWriter = wakeWriter
        self.writerProgress = writerProgress
        loop.afterTurn = { [unowned self] in endTurn() }
    }

    /// The writer's progress: while it increases, the disk is slow, not blocked.
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

    /// Assigns a slot of the ring to one stream. Loop's thread only.
    func openIntake(
        _ key: StreamKey,
        options: StreamOptions,
        statistics: StreamStatistics,
        onClose: @escaping () -> Void
    ) throws(CaptureService.OpenError) -> StreamIntake {
        guard let encoded = key.encoded else {
            throw .unusableName
        }
        guard let (slot, isNew) = takeSlot() else {
            throw .tooManyStreams
        }
        do throws(SystemError) {
            try ring.setKey(encoded, of: slot, isConsole: options.isConsole)
        } catch {
            // The slot is returned to where it came from, so that all below `nextSlot` have memory.
            if isNew {
                nextSlot -= 1
            } else {
                freeSlots.append((slot, ring.tail))
            }
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

    /// A slot without entries or unwritten markers in the ring, and whether it was never used.
    private func takeSlot() -> (slot: Int, isNew: Bool)? {
        let tail = ring.tail
        let isFree = { [ring] (slot: Int, head: UInt64) in
            head <= tail && !ring.writerLoss(slot).isOpen && !ring.hasUnwrittenMarkers(slot)
        }
        if let index = freeSlots.firstIndex(where: isFree) {
            return (freeSlots.remove(at: index).slot, false)
        }
        guard nextSlot < InflightRing.slotCount else {
            return nil
        }
        nextSlot += 1
        return (nextSlot - 1, true)
    }

    /// Releases an intake's slot; the key stays until the slot is assigned again.
    func free(_ intake: StreamIntake) {
        openCount -= 1
        watched[intake.slot] = nil
        freeSlots.append((intake.slot, ring.head))
    }

    /// Bytes that one stream may use in the ring: 1 MiB or its fair share, whichever is more.
    var share: Int { max(1 << 20, ring.capacity / max(1, openCount)) }

    var wallNow: Int64 { clock.wallMicroseconds() }
    var monotonicNow: Int64 { clock.monotonicMicroseconds() }
    var discard: UnsafeMutableRawBufferPointer { scratch }

    func published() {
        hasPublished = true
    }

    /// Reads once what is not to be stored, for the watchers.
    public func receiveUnstored(from descriptor: Int32) -> StreamIntake.Received {
        StreamIntake.read(descriptor, into: scratch)
    }

    // MARK: - Unwritten markers

    /// The interval between attempts to write them, in microseconds. Without any there is no timer.
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
        if !watched.isEmpty {
            watchTimer = loop.schedule(afterMicroseconds: Self.tendInterval) { [unowned self] in tendWatched() }
        }
    }
}
