import CLinux
import LogModel

/// What is special about a record.
public struct RecordFlags: OptionSet, Hashable, Sendable {
    /// The bits as they rest; the upper four hold the number of detail units and never show here.
    public let rawValue: UInt16

    /// Flags from their bits.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The record's first byte continues a line that began in an earlier record.
    public static let startsMidLine = RecordFlags(rawValue: 1 << 0)
    /// A marker: something was lost here (`GapDetail`).
    public static let gap = RecordFlags(rawValue: 1 << 1)
    /// A marker: a boot begins (`BootDetail`).
    public static let boot = RecordFlags(rawValue: 1 << 2)
    /// A marker: the boot ended (`BootDetail`).
    public static let bootEnd = RecordFlags(rawValue: 1 << 3)
    /// The bytes were found beyond the last index record after a crash; their time is the file's.
    public static let recovered = RecordFlags(rawValue: 1 << 4)
    /// The host's clock stepped back by more than a second before this record.
    public static let clockStepped = RecordFlags(rawValue: 1 << 5)
    /// The source had been read up to a position (`RecordDetail.source`) when this was written.
    public static let checkpoint = RecordFlags(rawValue: 1 << 6)

    /// Flags that only a marker carries.
    public static let markers: RecordFlags = [.gap, .boot, .bootEnd]
}

/// One entry of a stream's index: a batch of bytes, or a marker between bytes.
///
/// At rest a record is one or more units of 32 little-endian bytes:
/// `offset u64 · time µs u64 · length u32 · flags u16 · lines u16 · crc32c(data) u32 · crc32c(record) u32`, followed by
/// as many detail units as the upper four bits of the flags say; the record's checksum covers the first 28 bytes and
/// the detail.
public struct IndexRecord: Hashable, Sendable {
    /// Position in the stream of the first byte.
    public var offset: UInt64
    /// When the host received the first byte.
    public var time: Timestamp
    /// Bytes; 0 for a marker.
    public var length: UInt32
    /// What is special.
    public var flags: RecordFlags
    /// Line feeds among the bytes.
    public var lines: UInt16
    /// CRC-32C of the bytes.
    public var checksum: UInt32
    /// The encoded `RecordDetail`; empty for most.
    public var detail: [UInt8]

    /// A record from its parts.
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

    /// Size of a unit.
    public static let unitSize = 32
    /// Most detail units a record can have.
    public static let maximumDetailUnits = 15

    /// Position just after the last byte.
    public var end: UInt64 { offset + UInt64(length) }

    /// Whether this is a marker, which has no bytes.
    public var isMarker: Bool { !flags.isDisjoint(with: .markers) }

    /// Size at rest, in bytes.
    var encodedSize: Int { Self.unitSize * (1 + detailUnits) }

    private var detailUnits: Int { (detail.count + Self.unitSize - 1) / Self.unitSize }

    /// Appends the record's units to `out`.
    func encode(into out: inout [UInt8]) {
        let start = out.count
        let units = detailUnits
        precondition(units <= Self.maximumDetailUnits, "details are made by this room and are small")
        out.appendLittleEndian(offset)
        out.appendLittleEndian(UInt64(bitPattern: time.microseconds))
        out.appendLittleEndian(length)
        out.appendLittleEndian(flags.rawValue | UInt16(units) << 12)
        out.appendLittleEndian(lines)
        out.appendLittleEndian(checksum)
        let checksumPlace = out.count
        out.appendLittleEndian(UInt32(0))
        out.append(contentsOf: detail)
        out.append(contentsOf: repeatElement(0, count: units * Self.unitSize - detail.count))
        let own = out.withUnsafeBytes { bytes in
            Self.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
        withUnsafeBytes(of: own.littleEndian) { bytes in
            for (place, byte) in bytes.enumerated() {
                out[checksumPlace + place] = byte
            }
        }
    }

    /// The record at the start of `bytes` and the size it takes there; nil when it is torn or damaged.
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

    /// Whether `bytes` hold all of the record that begins them, sound or not.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= unitSize && bytes.count >= unitSize * (1 + Int(bytes.littleEndian(at: 20) as UInt16 >> 12))
    }

    /// The checksum of a whole record: its first 28 bytes, then its detail. An all-zero record never has it, because
    /// CRC-32C of zeros is not zero.
    private static func checksum(of whole: UnsafeRawBufferPointer) -> UInt32 {
        let head = gl_crc32c(0, whole.baseAddress, 28)
        return gl_crc32c(head, whole.baseAddress! + unitSize, whole.count - unitSize)
    }
}

extension Array where Element == UInt8 {
    mutating func appendLittleEndian<Value: FixedWidthInteger>(_ value: Value) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends `value` in base 128, least significant group first, as in protocol buffers.
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

extension UnsafeRawBufferPointer {
    func littleEndian<Value: FixedWidthInteger>(at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

/// Reads varints and bytes one after another; every read that would pass the end gives nil.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 64 {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                return value
            }
            shift += 7
        }
        return nil
    }

    mutating func integer<Value: FixedWidthInteger>() -> Value? {
        guard at + MemoryLayout<Value>.size <= bytes.count else {
            return nil
        }
        defer { at += MemoryLayout<Value>.size }
        return bytes.littleEndian(at: at)
    }

    mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= bytes.count - at else {
            return nil
        }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }
}
