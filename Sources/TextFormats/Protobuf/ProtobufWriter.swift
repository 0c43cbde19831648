// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Writes the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding), appending to bytes.
public enum ProtobufWriter {
    /// Appends the key of a field: wire type 0 is a varint, 1 are eight bytes, 2 has a length.
    private static func appendKey(_ field: UInt64, _ type: UInt64, to out: inout [UInt8]) {
        out.append(varint: field << 3 | type)
    }

    public static func append(_ field: UInt64, varint value: UInt64, to out: inout [UInt8]) {
        appendKey(field, 0, to: &out)
        out.append(varint: value)
    }

    public static func append(_ field: UInt64, fixed64 value: UInt64, to out: inout [UInt8]) {
        appendKey(field, 1, to: &out)
        out.append(littleEndian: value)
    }

    /// Appends a string, bytes or a message that is encoded already.
    public static func append(_ field: UInt64, bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        appendKey(field, 2, to: &out)
        out.append(varint: UInt64(bytes.count))
        out.append(contentsOf: bytes)
    }

    /// Appends a field with a length, whose contents `body` appends.
    public static func append(_ field: UInt64, to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        appendKey(field, 2, to: &out)
        // Most lengths take a byte or two: what is encoded is moved when its length takes more.
        let lengthOffset = out.count
        out.append(0)
        body(&out)
        var length = UInt64(out.count - lengthOffset - 1)
        guard length >= 0x80 else {
            out[lengthOffset] = UInt8(length)
            return
        }
        out[lengthOffset] = UInt8(truncatingIfNeeded: length) | 0x80
        length >>= 7
        var more: [UInt8] = []
        more.append(varint: length)
        out.insert(contentsOf: more, at: lengthOffset + 1)
    }

    // MARK: - Fields without presence, which proto3 omits at their default

    public static func append(_ field: UInt64, nonzero value: UInt64, to out: inout [UInt8]) {
        if value != 0 {
            append(field, varint: value, to: &out)
        }
    }

    public static func append(_ field: UInt64, nonempty bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        if !bytes.isEmpty {
            append(field, bytes: bytes, to: &out)
        }
    }
}
