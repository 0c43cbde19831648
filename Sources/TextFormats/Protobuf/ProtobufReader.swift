// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Reads a message in the wire format of Protocol Buffers, field by field. Nothing is copied; lengths are checked against
/// the bytes that are there; groups, which proto3 does not have, are refused.
public struct ProtobufReader {
    private enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    public enum Value {
        case number(UInt64)
        case bytes(UnsafeRawBufferPointer)
    }

    private let buffer: UnsafeRawBufferPointer
    private var offset = 0

    public init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    /// The next field and its value; nil at the end.
    public mutating func next() throws(ProtobufError) -> (field: UInt64, value: Value)? {
        guard offset < buffer.count else {
            return nil
        }
        let tag = try varint()
        let field = tag >> 3
        guard field != 0, field < 1 << 29 else {
            throw ProtobufError(reason: "a field has the number \(field)")
        }
        switch WireType(rawValue: tag & 7) {
        case .varint:
            return (field, .number(try varint()))
        case .fixed64:
            return (field, .number(try fixed(8)))
        case .fixed32:
            return (field, .number(try fixed(4)))
        case .lengthDelimited:
            let length = try varint()
            guard length <= UInt64(buffer.count - offset) else {
                throw ProtobufError(reason: "a field claims \(length) bytes, of \(buffer.count - offset)")
            }
            return (field, .bytes(take(Int(length))))
        case nil:
            throw ProtobufError(reason: "a field has the unknown wire type \(tag & 7)")
        }
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
    }

    private mutating func fixed(_ count: Int) throws(ProtobufError) -> UInt64 {
        guard buffer.count - offset >= count else {
            throw ProtobufError(reason: "a field ends early")
        }
        return take(count).littleEndian
    }

    /// Bits beyond the 64th are lost, as in all implementations.
    private mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard offset < buffer.count else {
                throw ProtobufError(reason: "a number ends early")
            }
            let byte = buffer[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 {
                return value
            }
        }
        throw ProtobufError(reason: "a number is longer than 10 bytes")
    }
}

extension ProtobufReader.Value {
    /// The number; 0 when it is of another type, as for a field that is absent.
    public var number: UInt64 {
        if case .number(let value) = self { value } else { 0 }
    }

    /// The bytes; none when it is of another type.
    public var bytes: UnsafeRawBufferPointer {
        if case .bytes(let value) = self { value } else { UnsafeRawBufferPointer(start: nil, count: 0) }
    }
}

/// Why bytes are no message.
public struct ProtobufError: Error, Hashable {
    public let reason: String
}
