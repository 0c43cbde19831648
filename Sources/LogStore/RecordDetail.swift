// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Additional data of a record: tagged values, `tag u8 · length u8 · bytes`, terminated by tag 0.
public struct RecordDetail: Hashable, Sendable {
    public var gap: GapDetail?
    public var boot: BootDetail?
    /// How far the source had been read: opaque to the store, at most 200 bytes.
    public var source: [UInt8]?
    /// The earliest and latest time in the bytes themselves, in streams with a clock of their own.
    public var ownTime: ClosedRange<Timestamp>?
    /// In a marker: the source of what follows, such as the host that a VM was migrated to; at most 200 bytes, of longer
    /// text the beginning.
    public var origin: String?
    /// In a marker that begins a block: the number of markers that end the previous block, at the same position. Set by
    /// the writer.
    var markersBefore = 0

    public init(
        gap: GapDetail? = nil,
        boot: BootDetail? = nil,
        source: [UInt8]? = nil,
        ownTime: ClosedRange<Timestamp>? = nil,
        origin: String? = nil
    ) {
        self.origin = origin
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
        static let origin: UInt8 = 6
    }

    /// Maximum size of a source position.
    public static let maximumSourceLength = 200
    private static let maximumOriginLength = 200
    private static let unknownBytes = UInt64.max

    /// The encoded detail.
    public var encoded: [UInt8] {
        var out: [UInt8] = []
        if let gap {
            Self.append(Tag.gap, to: &out) { value in
                value.append(gap.reason.rawValue)
                value.append(gap.isClosed ? 1 : 0)
                value.append(littleEndian: gap.bytes ?? Self.unknownBytes)
                value.append(littleEndian: gap.lines)
                value.append(littleEndian: gap.since.microseconds)
            }
        }
        if let boot {
            Self.append(Tag.boot, to: &out) { value in
                value.append(boot.event.rawValue)
                value.append(littleEndian: boot.position)
            }
        }
        if let source {
            precondition(source.count <= Self.maximumSourceLength, "a source position is short by contract")
            Self.append(Tag.source, to: &out) { $0.append(contentsOf: source) }
        }
        if let ownTime {
            Self.append(Tag.ownTime, to: &out) { value in
                value.append(littleEndian: ownTime.lowerBound.microseconds)
                value.append(littleEndian: ownTime.upperBound.microseconds)
            }
        }
        if markersBefore > 0 {
            Self.append(Tag.markersBefore, to: &out) { $0.append(littleEndian: UInt32(markersBefore)) }
        }
        if let origin {
            Self.append(Tag.origin, to: &out) { $0.append(contentsOf: origin.utf8.prefix(Self.maximumOriginLength)) }
        }
        return out
    }

    private static func append(_ tag: UInt8, to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        out.append(tag)
        let lengthOffset = out.count
        out.append(0)
        body(&out)
        out[lengthOffset] = UInt8(out.count - lengthOffset - 1)
    }

    /// Decodes a detail; unknown tags, of newer versions, are skipped, and values that this version never writes.
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
                case Tag.source where value.count <= Self.maximumSourceLength: source = Array(value)
                case Tag.ownTime: ownTime = Self.ownTime(&fields)
                case Tag.markersBefore: markersBefore = Int((fields.integer() as UInt32?) ?? 0)
                case Tag.origin: origin = String(decoding: value, as: UTF8.self)
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
