// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// One entry of a stream's index: a batch of bytes, or a marker between bytes.
///
/// On disk a record is one or more units of 32 little-endian bytes: `offset u64 · time µs u64 · length u32 · flags u16
/// · lines u16 · crc32c(data) u32 · crc32c(record) u32`, followed by as many detail units as the upper four bits of the
/// flags say. The record's checksum covers the first 28 bytes and the detail.
public struct IndexRecord: Hashable, Sendable {
    public var offset: UInt64
    public var time: Timestamp
    public var length: UInt32
    public var flags: RecordFlags
    public var lines: UInt16
    public var checksum: UInt32
    /// The encoded `RecordDetail`; usually empty.
    public var detail: [UInt8]

    public init(
        offset: UInt64,
        time: Timestamp,
        length: UInt32 = 0,
        flags: RecordFlags = [],
        lines: UInt16 = 0,
        checksum: UInt32 = 0,
        detail: [UInt8] = []
    ) {
        self.offset = offset
        self.time = time
        self.length = length
        self.flags = flags
        self.lines = lines
        self.checksum = checksum
        self.detail = detail
    }

    static let unitSize = 32
    /// Maximum number of detail units of a record.
    static let maximumDetailUnits = 15

    public var end: UInt64 { offset + UInt64(length) }

    /// Whether this is a marker, which has no bytes.
    public var isMarker: Bool { !flags.isDisjoint(with: .markers) }

    var encodedSize: Int { Self.unitSize * (1 + detailUnits) }

    private var detailUnits: Int { (detail.count + Self.unitSize - 1) / Self.unitSize }

    func encode(into out: inout [UInt8]) {
        let start = out.count
        let units = detailUnits
        precondition(units <= Self.maximumDetailUnits, "details are encoded by this module and are small")
        out.append(contentsOf: repeatElement(0, count: encodedSize))
        out.withUnsafeMutableBytes { bytes in
            let whole = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            whole.storeLittleEndian(offset, at: 0)
            whole.storeLittleEndian(time.microseconds, at: 8)
            whole.storeLittleEndian(length, at: 16)
            whole.storeLittleEndian(flags.rawValue | UInt16(units) << 12, at: 20)
            whole.storeLittleEndian(lines, at: 22)
            whole.storeLittleEndian(checksum, at: 24)
            UnsafeMutableRawBufferPointer(rebasing: whole[Self.unitSize...]).copyBytes(from: detail)
            whole.storeLittleEndian(Self.checksum(of: UnsafeRawBufferPointer(whole)), at: 28)
        }
    }

    /// The record at the start of `bytes` and its size; nil when it is torn or damaged.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> (record: IndexRecord, size: Int)? {
        guard bytes.count >= unitSize else {
            return nil
        }
        let flagBits: UInt16 = bytes.littleEndian(at: 20)
        let size = unitSize * (1 + Int(flagBits >> 12))
        guard bytes.count >= size else {
            return nil
        }
        let whole = UnsafeRawBufferPointer(rebasing: bytes[..<size])
        guard bytes.littleEndian(at: 28) as UInt32 == checksum(of: whole) else {
            return nil
        }
        let record = IndexRecord(
            offset: bytes.littleEndian(at: 0),
            time: Timestamp(microseconds: Int64(bitPattern: bytes.littleEndian(at: 8))),
            length: bytes.littleEndian(at: 16),
            flags: RecordFlags(rawValue: flagBits & 0x0fff),
            lines: bytes.littleEndian(at: 22),
            checksum: bytes.littleEndian(at: 24),
            detail: Array(whole[unitSize...])
        )
        return (record, size)
    }

    /// Whether `bytes` contain all of the record that begins there, valid or not.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= unitSize && bytes.count >= unitSize * (1 + Int(bytes.littleEndian(at: 20) as UInt16 >> 12))
    }

    /// The checksum of a whole record: its first 28 bytes, then its detail. It never matches an all-zero record,
    /// because CRC-32C of zeros is not zero.
    private static func checksum(of whole: UnsafeRawBufferPointer) -> UInt32 {
        let head = gl_crc32c(0, whole.baseAddress, 28)
        return gl_crc32c(head, whole.baseAddress! + unitSize, whole.count - unitSize)
    }
}
