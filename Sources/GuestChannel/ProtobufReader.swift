// SPDX-License-Identifier: Apache-2.0

/// Reads a message in the wire format of Protocol Buffers, field by field. Nothing is copied; lengths are checked against
/// the bytes that are there; groups, which proto3 does not have, are refused.
struct ProtobufReader {
    enum Value {
        case number(UInt64)
        case bytes(UnsafeRawBufferPointer)
    }

    private let buffer: UnsafeRawBufferPointer
    private var at = 0

    init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    /// The next field and its value; nil at the end.
    mutating func next() throws(GuestChannelError) -> (field: UInt64, value: Value)? {
        guard at < buffer.count else {
            return nil
        }
        let tag = try varint()
        let field = tag >> 3
        guard field != 0, field < 1 << 29 else {
            throw .malformed("a field has the number \(field)")
        }
        switch ProtobufWriter.WireType(rawValue: tag & 7) {
        case .varint:
            return (field, .number(try varint()))
        case .fixed64:
            return (field, .number(try fixed(8)))
        case .fixed32:
            return (field, .number(try fixed(4)))
        case .lengthDelimited:
            let length = try varint()
            guard length <= UInt64(buffer.count - at) else {
                throw .malformed("a field claims \(length) bytes, of \(buffer.count - at)")
            }
            return (field, .bytes(take(Int(length))))
        case nil:
            throw .malformed("a field has the unknown wire type \(tag & 7)")
        }
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: buffer[at..<at + count])
    }

    private mutating func fixed(_ count: Int) throws(GuestChannelError) -> UInt64 {
        guard buffer.count - at >= count else {
            throw .malformed("a field ends early")
        }
        return take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Bits beyond the 64th are lost, as in all implementations.
    private mutating func varint() throws(GuestChannelError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard at < buffer.count else {
                throw .malformed("a number ends early")
            }
            let byte = buffer[at]
            at += 1
            value |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 {
                return value
            }
        }
        throw .malformed("a number is longer than 10 bytes")
    }
}

extension ProtobufReader.Value {
    /// The number; 0 when it is of another type, as for a field that is absent.
    var number: UInt64 {
        if case .number(let value) = self { value } else { 0 }
    }

    /// The bytes; none when it is of another type.
    var bytes: UnsafeRawBufferPointer {
        if case .bytes(let value) = self { value } else { UnsafeRawBufferPointer(start: nil, count: 0) }
    }
}

/// What is wrong with what the other end sent.
public enum GuestChannelError: Error, Hashable, CustomStringConvertible {
    /// A message is not what docs/guest_channel.proto describes.
    case malformed(String)
    /// A frame claims that size, in bytes.
    case frameTooLong(Int)
    /// The stream has no frame where one begins.
    case noFrame
    /// The other end speaks no version that this one knows.
    case version(UInt64)
    /// Records came before a hello.
    case noHello
    /// The number of a record is not above that of the one before it.
    case order(UInt64)

    public var description: String {
        switch self {
        case .malformed(let reason): "malformed message: \(reason)"
        case .frameTooLong(let size): "a frame claims \(size) bytes, more than \(GuestFrame.limit)"
        case .noFrame: "no frame begins where one is expected"
        case .version(let version): "unknown protocol version \(version); update the older of agent and collector"
        case .noHello: "records without a hello"
        case .order(let sequence): "record \(sequence) is out of order"
        }
    }
}
