// SPDX-License-Identifier: Apache-2.0

// Integers as the bytes of files and protocols.

extension Collection<UInt8> {
    /// The number that has these bytes, the most significant first; of more than eight bytes the last eight.
    @inlinable
    public var bigEndian: UInt64 { reduce(0) { $0 << 8 | UInt64($1) } }
}

extension BidirectionalCollection<UInt8> {
    /// The number that has these bytes, the least significant first; of more than eight bytes the first eight.
    @inlinable
    public var littleEndian: UInt64 { reversed().bigEndian }
}

extension Array where Element == UInt8 {
    /// The bytes of `value`, the most significant first.
    @inlinable
    public init(bigEndian value: some FixedWidthInteger) {
        self.init()
        append(bigEndian: value)
    }

    /// Appends the bytes of `value`, the most significant first.
    @inlinable
    public mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Appends the bytes of `value`, the least significant first.
    @inlinable
    public mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends `value` in base 128, least significant group first, as in Protocol Buffers.
    @inlinable
    public mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
