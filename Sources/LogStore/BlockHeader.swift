import CLinux
import LogModel

/// What is known of a sealed block without decoding it.
///
/// At rest it is the fixed part of a zstd skippable frame (magic 0x184D2A5C) that stands just before the block's zstd
/// frame; see `docs/format.md`.
struct BlockHeader: Hashable, Sendable {
    var offset: UInt64
    var timeRange: ClosedRange<Timestamp>
    /// The times the text itself claims, in streams with a clock of their own.
    var ownTime: ClosedRange<Timestamp>?
    var rawLength: UInt32
    var frameLength: UInt32
    var lines: UInt32
    var checksum: UInt32
    var recordCount: UInt32
    /// All records' flags together.
    var flags: RecordFlags
    var columnsCompressed: Bool
    var columnsLength: UInt32
    /// Markers at the block's very end, after its last byte.
    var trailingMarkers: UInt32
    /// Where in the file the skippable frame begins, and how long its payload is. Not part of the frame itself.
    var position: Int = 0
    var payloadLength: Int = 0

    var end: UInt64 { offset + UInt64(rawLength) }

    /// Where the zstd frame begins.
    var framePosition: Int { position + SkippableFrame.headerSize + payloadLength }
    /// Where the next block begins.
    var nextPosition: Int { framePosition + Int(frameLength) }

    static let tag = UInt32(littleEndianBytes: "GLB1")
    /// Tag, checksum and fields.
    static let encodedSize = 8 + fieldsSize
    static let fieldsSize = 72

    func encodeFields(into out: inout [UInt8]) {
        out.appendLittleEndian(offset)
        out.appendLittleEndian(timeRange.lowerBound.microseconds)
        out.appendLittleEndian(timeRange.upperBound.microseconds)
        out.appendLittleEndian(ownTime?.lowerBound.microseconds ?? .max)
        out.appendLittleEndian(ownTime?.upperBound.microseconds ?? .min)
        out.appendLittleEndian(rawLength)
        out.appendLittleEndian(frameLength)
        out.appendLittleEndian(lines)
        out.appendLittleEndian(checksum)
        out.appendLittleEndian(recordCount)
        out.appendLittleEndian(flags.rawValue)
        out.appendLittleEndian(UInt16(columnsCompressed ? 1 : 0))
        out.appendLittleEndian(columnsLength)
        out.appendLittleEndian(trailingMarkers)
    }

    /// The fields at the start of `bytes`; nil when they contradict themselves.
    init?(decodingFields bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.fieldsSize else {
            return nil
        }
        offset = bytes.littleEndian(at: 0)
        let (low, high): (Int64, Int64) = (bytes.littleEndian(at: 8), bytes.littleEndian(at: 16))
        let (ownLow, ownHigh): (Int64, Int64) = (bytes.littleEndian(at: 24), bytes.littleEndian(at: 32))
        rawLength = bytes.littleEndian(at: 40)
        frameLength = bytes.littleEndian(at: 44)
        lines = bytes.littleEndian(at: 48)
        checksum = bytes.littleEndian(at: 52)
        recordCount = bytes.littleEndian(at: 56)
        flags = RecordFlags(rawValue: bytes.littleEndian(at: 60))
        columnsCompressed = bytes.littleEndian(at: 62) as UInt16 != 0
        columnsLength = bytes.littleEndian(at: 64)
        trailingMarkers = bytes.littleEndian(at: 68)
        // Bounds that the writer keeps; beyond them the bytes are no header of ours, and nothing is allocated for them.
        guard low <= high, rawLength <= StoreLimits.blockLimit, lines <= rawLength,
            recordCount <= StoreLimits.recordsLimit, columnsLength <= Self.columnsLimit,
            trailingMarkers <= recordCount,
            frameLength <= Self.frameLimit, offset <= UInt64.max - UInt64(rawLength)
        else {
            return nil
        }
        timeRange = Timestamp(microseconds: low)...Timestamp(microseconds: high)
        ownTime = ownLow <= ownHigh ? Timestamp(microseconds: ownLow)...Timestamp(microseconds: ownHigh) : nil
    }

    /// More than the columns of `StoreLimits.recordsLimit` records take.
    static let columnsLimit = 16 << 20
    /// Bytes that the compressed text of a block takes at most.
    static let frameLimit = 2 * StoreLimits.blockLimit

    /// A header from its parts, before its frame is made.
    init(records: [IndexRecord], base: UInt64, rawLength: Int, checksum: UInt32) {
        offset = base
        let times = records.lazy.map(\.time)
        timeRange = (times.min() ?? Timestamp(microseconds: 0))...(times.max() ?? Timestamp(microseconds: 0))
        let own = records.lazy.filter { !$0.detail.isEmpty }.compactMap { RecordDetail(decoding: $0.detail).ownTime }
        if let low = own.map(\.lowerBound).min(), let high = own.map(\.upperBound).max() {
            ownTime = low...high
        }
        self.rawLength = UInt32(rawLength)
        frameLength = 0
        lines = records.reduce(0) { $0 + UInt32($1.lines) }
        self.checksum = checksum
        recordCount = UInt32(records.count)
        flags = records.reduce(into: []) { $0.formUnion($1.flags) }
        columnsCompressed = false
        columnsLength = 0
        trailingMarkers = UInt32(
            records.reversed().prefix { $0.isMarker && $0.offset == base + UInt64(rawLength) }.count
        )
    }
}
