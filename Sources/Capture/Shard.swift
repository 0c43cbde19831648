import CLinux
import Glibc
import LogModel
import LogStore
import RotatingFile
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
    private var freeSlots: [Int] = []
    private var nextSlot = 0
    private var openCount = 0
    private var hasPublished = false
    private var gapped: [Int: StreamIntake] = [:]
    private var gapTimer: EventLoop.TimerToken?
    /// Where bytes go that are read only to be counted.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: InflightRing.maximumPayload, alignment: 64)

    init(
        loop: EventLoop,
        ring: InflightRing,
        clock: any HostClock,
        wakeWriter: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        self.ring = ring
        self.clock = clock
        self.wakeWriter = wakeWriter
        loop.afterTurn = { [unowned self] in endTurn() }
    }

    deinit {
        scratch.deallocate()
    }

    private func endTurn() {
        if hasPublished {
            hasPublished = false
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
        ring.setKey(encoded, of: slot)
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

    private func takeSlot() -> Int? {
        if let place = freeSlots.firstIndex(where: { ring.held($0) == 0 }) {
            return freeSlots.remove(at: place)
        }
        while nextSlot < InflightRing.slotCount {
            nextSlot += 1
            return nextSlot - 1
        }
        return nil
    }

    func close(_ intake: StreamIntake) {
        openCount -= 1
        gapped[intake.slot] = nil
        // The key stays until the slot is used again: entries of it may still be in the ring.
        freeSlots.append(intake.slot)
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

    // MARK: - Gaps

    /// How often open gaps are looked at, in microseconds. No gap, no timer.
    static let gapInterval: Int64 = 1_000_000
    /// How often a gap that lasts is written.
    static let gapMarkerInterval: Int64 = 10_000_000

    func watchGap(of intake: StreamIntake) {
        gapped[intake.slot] = intake
        if gapTimer == nil {
            gapTimer = loop.schedule(afterMicroseconds: Self.gapInterval) { [unowned self] in lookAtGaps() }
        }
    }

    private func lookAtGaps() {
        gapTimer = nil
        let now = monotonicNow
        for intake in gapped.values where intake.tendGap(at: now) {
            gapped[intake.slot] = nil
        }
        endTurn()
        if !gapped.isEmpty {
            gapTimer = loop.schedule(afterMicroseconds: Self.gapInterval) { [unowned self] in lookAtGaps() }
        }
    }
}

/// What a stream's owner decides.
public struct StreamOptions: Sendable {
    /// Encoding, clock, replayable or not.
    public var properties: StreamProperties
    /// The rate above which bytes are dropped from the store; nil: none.
    public var rate: RateLimit?
    /// Whether the text is searched for boot banners.
    public var detectsBoots: Bool
    /// A plain rotated file that gets every byte too.
    public var plainFile: PlainFile?

    /// A plain file beside the store.
    public struct PlainFile: Hashable, Sendable {
        /// Its path.
        public var path: String
        /// Its size and backups.
        public var limits: RotationLimits
        /// Access of the files made.
        public var mode: UInt32

        /// A plain file from its parts.
        public init(path: String, limits: RotationLimits = .standard, mode: UInt32 = 0o600) {
            self.path = path
            self.limits = limits
            self.mode = mode
        }
    }

    /// Options from their parts; a console's by default.
    public init(
        properties: StreamProperties = StreamProperties(),
        rate: RateLimit? = .standard,
        detectsBoots: Bool = true,
        plainFile: PlainFile? = nil
    ) {
        self.properties = properties
        self.rate = rate
        self.detectsBoots = detectsBoots
        self.plainFile = plainFile
    }
}
