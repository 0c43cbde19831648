// SPDX-License-Identifier: Apache-2.0

/// Writes a message in the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding). A field with the
/// value 0, or without bytes, is omitted, as in proto3.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    /// Writes a field of a type with varint encoding.
    mutating func write(_ field: Int, _ value: UInt64) {
        if value != 0 {
            writePresent(field, value)
        }
    }

    /// Writes an `int64` or `int32`.
    mutating func write(_ field: Int, signed value: Int64) {
        write(field, UInt64(bitPattern: value))
    }

    /// Writes a field whose presence counts (`optional`), also when it is 0.
    mutating func writePresent(_ field: Int, _ value: UInt64) {
        writeTag(field, .varint)
        writeVarint(value)
    }

    /// Writes `bytes`, `string`, or an encoded message.
    mutating func write(_ field: Int, _ value: some Collection<UInt8>) {
        if !value.isEmpty {
            writePresent(field, value)
        }
    }

    /// Writes an element of a repeated field, or a message, also when it is empty.
    mutating func writePresent(_ field: Int, _ value: some Collection<UInt8>) {
        writeTag(field, .lengthDelimited)
        writeVarint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Writes an embedded message.
    mutating func write(_ field: Int, message body: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        body(&inner)
        writePresent(field, inner.bytes)
    }

    private mutating func writeTag(_ field: Int, _ type: WireType) {
        writeVarint(UInt64(field) << 3 | type.rawValue)
    }

    private mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
