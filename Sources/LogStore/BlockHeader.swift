// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What is known of a sealed block without decoding it.
///
/// On disk it is the fixed part of a zstd skippable frame (magic 0x184D2A5C) just before the block's zstd frame; see
/// `docs/format.md`.
struct BlockHeader: Hashable, Sendable {
    var offset: UInt64
    var timeRange: ClosedRange<Timestamp>
    /// The times in the text itself, in streams with a clock of their own.
    var ownTime: ClosedRange<Timestamp>?
    var rawLength: UInt32
    var frameLength: UInt32
    var lines: UInt32
    var checksum: UInt32
    var recordCount: UInt32
    /// The union of all records' flags.
    var flags: RecordFlags
    var columnsCompressed: Bool
    var columnsLength: UInt32
    /// Markers at the end of the block, after its last byte.
    var trailingMarkers: UInt32
    /// The position of the skippable frame in the file, and the length of its payload. Not part of the frame.
    var position: Int = 0
    var payloadLength: Int = 0

    var end: UInt64 { offset + UInt64(rawLength) }

    var framePosition: Int { position + SkippableFrame.headerSize + payloadLength }
    var nextPosition: Int { framePosition + Int(frameLength) }

    static let tag = UInt32(littleEndianBytes: "GLB1")
    static let encodedSize = 8 + fieldsSize
    static let fieldsSize = 72

    func encodeFields(into out: inout [UInt8]) {
        out.append(littleEndian: offset)
        out.append(littleEndian: timeRange.lowerBound.microseconds)
        out.append(littleEndian: timeRange.upperBound.microseconds)
        out.append(littleEndian: ownTime?.lowerBound.microseconds ?? .max)
        out.append(littleEndian: ownTime?.upperBound.microseconds ?? .min)
        out.append(littleEndian: rawLength)
        out.append(littleEndian: frameLength)
        out.append(littleEndian: lines)
        out.append(littleEndian: checksum)
        out.append(littleEndian: recordCount)
        out.append(littleEndian: flags.rawValue)
        out.append(littleEndian: UInt16(columnsCompressed ? 1 : 0))
        out.append(littleEndian: columnsLength)
        out.append(littleEndian: trailingMarkers)
    }

    /// Decodes the fields at the start of `bytes`; nil when they are inconsistent.
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
        // Bounds that the writer keeps; beyond them the bytes are not a valid header, and nothing is allocated for
        // them.
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
    /// Maximum size of the compressed text of a block.
    static let frameLimit = 2 * StoreLimits.blockLimit

    /// The header of `records`, before its frame is made.
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
