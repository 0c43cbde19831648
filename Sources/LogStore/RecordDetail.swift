import LogModel

/// Why bytes are missing.
public enum GapReason: UInt8, Sendable, CaseIterable {
    /// More came than the VM's rate allows.
    case rateLimit = 1
    /// The in-flight ring was full: the disk is slower than the guest, or hangs.
    case overflow = 2
    /// The store could not be written: disk full, read-only, input/output error.
    case storeFailure = 3
    /// Bytes failed their checksum and went to quarantine.
    case corruption = 4
    /// The host went down; how much was lost is unknown.
    case hostRestart = 5
    /// Removed to keep the store within its bounds; made up by readers, never stored.
    case retention = 6
    /// The daemon was away longer than the console could wait.
    case daemonAway = 7
    /// The console was not connected, though its machine ran on.
    case disconnected = 8
    /// There was no memory for the console where bytes in flight are kept.
    case noRoom = 9

    /// The reason in words, as in "4096 bytes lost: …".
    public var words: String {
        switch self {
        case .rateLimit: "over the rate limit"
        case .overflow: "the store was too slow"
        case .storeFailure: "the store could not be written"
        case .corruption: "damaged on disk"
        case .hostRestart: "the host went down"
        case .retention: "removed by retention"
        case .daemonAway: "guestlog was not running"
        case .disconnected: "the console was not connected"
        case .noRoom: "the runtime folder was full"
        }
    }
}

/// What a gap marker says. A long gap is several markers, each counting what was lost since the one before, so the
/// loss is their sum.
public struct GapDetail: Hashable, Sendable {
    /// Why.
    public var reason: GapReason
    /// Bytes lost since the marker before; nil when nobody can know.
    public var bytes: UInt64?
    /// Line feeds among them.
    public var lines: UInt64
    /// When the gap opened.
    public var since: Timestamp
    /// Whether nothing more was lost after this marker.
    public var isClosed: Bool

    /// A gap from its parts.
    public init(reason: GapReason, bytes: UInt64?, lines: UInt64, since: Timestamp, isClosed: Bool) {
        self.reason = reason
        self.bytes = bytes
        self.lines = lines
        self.since = since
        self.isClosed = isClosed
    }
}

/// How a boot was noticed to begin or to end.
public enum BootEvent: UInt8, Sendable, CaseIterable {
    /// The VMM opened the console: the machine was switched on, as far as the transport can tell.
    case powerOn = 1
    /// Firmware announced itself on a live console: the machine was reset.
    case firmware = 2
    /// A kernel announced itself without firmware before it: kexec, or a VMM without firmware.
    case kernel = 3
    /// The console was connected to for the first time while the machine had been running for a while.
    case joined = 4
    /// The console was closed: the machine, or its VMM, is gone.
    case closed = 16
    /// The guest said that it powers down.
    case powerDown = 17
    /// The guest said that it restarts.
    case restart = 18
    /// The guest said that it halts.
    case halt = 19
    /// The guest's kernel panicked.
    case panic = 20

    /// Whether the transport, not the guest, told of it.
    public var isByTransport: Bool { [.powerOn, .joined, .closed].contains(self) }

    /// Whether a boot begins with it, rather than ends.
    public var isBeginning: Bool { rawValue < BootEvent.closed.rawValue }

    /// The word `guestlog boots` shows.
    public var name: String {
        switch self {
        case .powerOn: "power-on"
        case .firmware: "reset"
        case .kernel: "kernel"
        case .joined: "joined"
        case .closed: "closed"
        case .powerDown: "power-down"
        case .restart: "restart"
        case .halt: "halt"
        case .panic: "panic"
        }
    }
}

/// What a boot marker says.
public struct BootDetail: Hashable, Sendable {
    /// How it was noticed.
    public var event: BootEvent
    /// Position of the boot's first byte. It lies before the marker's own when the line that gave the boot away had
    /// begun in an earlier record.
    public var position: UInt64

    /// A boot event at a position.
    public init(event: BootEvent, position: UInt64) {
        self.event = event
        self.position = position
    }
}

/// What a record carries beside its bytes: tagged values, `tag u8 · length u8 · bytes`, ended by tag 0.
public struct RecordDetail: Hashable, Sendable {
    /// What was lost, in a gap marker.
    public var gap: GapDetail?
    /// Which boot began or ended, in a boot marker.
    public var boot: BootDetail?
    /// How far the source had been read: opaque to the store, at most 200 bytes.
    public var source: [UInt8]?
    /// The earliest and latest time that the bytes themselves claim, in streams with a clock of their own.
    public var ownTime: ClosedRange<Timestamp>?
    /// In a marker that begins a block: how many markers end the block before it, at the same position. Set by the
    /// writer.
    public internal(set) var markersBefore = 0

    /// A detail from its parts.
    public init(
        gap: GapDetail? = nil,
        boot: BootDetail? = nil,
        source: [UInt8]? = nil,
        ownTime: ClosedRange<Timestamp>? = nil
    ) {
        self.gap = gap
        self.boot = boot
        self.source = source
        self.ownTime = ownTime
    }

    private enum Tag {
        static let end: UInt8 = 0
        static let gap: UInt8 = 1
        static let boot: UInt8 = 2
        static let source: UInt8 = 3
        static let ownTime: UInt8 = 4
        static let markersBefore: UInt8 = 5
    }

    /// Longest source position that fits.
    public static let maximumSourceLength = 200
    private static let unknownBytes = UInt64.max

    /// The bytes that follow a record.
    public var encoded: [UInt8] {
        var out: [UInt8] = []
        if let gap {
            Self.append(Tag.gap, to: &out) { value in
                value.append(gap.reason.rawValue)
                value.append(gap.isClosed ? 1 : 0)
                value.appendLittleEndian(gap.bytes ?? Self.unknownBytes)
                value.appendLittleEndian(gap.lines)
                value.appendLittleEndian(gap.since.microseconds)
            }
        }
        if let boot {
            Self.append(Tag.boot, to: &out) { value in
                value.append(boot.event.rawValue)
                value.appendLittleEndian(boot.position)
            }
        }
        if let source {
            precondition(source.count <= Self.maximumSourceLength, "a source position is short by contract")
            Self.append(Tag.source, to: &out) { $0.append(contentsOf: source) }
        }
        if let ownTime {
            Self.append(Tag.ownTime, to: &out) { value in
                value.appendLittleEndian(ownTime.lowerBound.microseconds)
                value.appendLittleEndian(ownTime.upperBound.microseconds)
            }
        }
        if markersBefore > 0 {
            Self.append(Tag.markersBefore, to: &out) { $0.appendLittleEndian(UInt32(markersBefore)) }
        }
        return out
    }

    private static func append(_ tag: UInt8, to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        out.append(tag)
        let place = out.count
        out.append(0)
        body(&out)
        out[place] = UInt8(out.count - place - 1)
    }

    /// The detail that `encoded` spells; unknown tags, of newer versions, are passed over.
    public init(decoding encoded: [UInt8]) {
        self.init()
        encoded.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            while let tag: UInt8 = reader.integer(), tag != Tag.end, let length: UInt8 = reader.integer(),
                let value = reader.take(Int(length))
            {
                var fields = ByteReader(value)
                switch tag {
                case Tag.gap: gap = Self.gap(&fields)
                case Tag.boot: boot = Self.boot(&fields)
                case Tag.source: source = Array(value)
                case Tag.ownTime: ownTime = Self.ownTime(&fields)
                case Tag.markersBefore: markersBefore = Int((fields.integer() as UInt32?) ?? 0)
                default: break
                }
            }
        }
    }

    private static func gap(_ fields: inout ByteReader) -> GapDetail? {
        guard let reasonCode: UInt8 = fields.integer(), let reason = GapReason(rawValue: reasonCode),
            let closed: UInt8 = fields.integer(), let bytes: UInt64 = fields.integer(),
            let lines: UInt64 = fields.integer(), let since: Int64 = fields.integer()
        else {
            return nil
        }
        return GapDetail(
            reason: reason,
            bytes: bytes == unknownBytes ? nil : bytes,
            lines: lines,
            since: Timestamp(microseconds: since),
            isClosed: closed != 0
        )
    }

    private static func boot(_ fields: inout ByteReader) -> BootDetail? {
        guard let code: UInt8 = fields.integer(), let event = BootEvent(rawValue: code),
            let position: UInt64 = fields.integer()
        else {
            return nil
        }
        return BootDetail(event: event, position: position)
    }

    private static func ownTime(_ fields: inout ByteReader) -> ClosedRange<Timestamp>? {
        guard let low: Int64 = fields.integer(), let high: Int64 = fields.integer(), low <= high else {
            return nil
        }
        return Timestamp(microseconds: low)...Timestamp(microseconds: high)
    }
}
