// SPDX-License-Identifier: Apache-2.0

/// Writes the wire format of protocol buffers (protobuf.dev/programming-guides/encoding).
enum ProtobufWriter {
    static func appendVarint(_ value: UInt64, to out: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    /// Appends the key of a field: wire type 0 is a varint, 1 are eight bytes, 2 has a length.
    private static func appendKey(_ field: UInt64, _ type: UInt64, to out: inout [UInt8]) {
        appendVarint(field << 3 | type, to: &out)
    }

    static func append(_ field: UInt64, varint value: UInt64, to out: inout [UInt8]) {
        appendKey(field, 0, to: &out)
        appendVarint(value, to: &out)
    }

    static func append(_ field: UInt64, fixed64 value: UInt64, to out: inout [UInt8]) {
        appendKey(field, 1, to: &out)
        for shift in stride(from: 0, to: 64, by: 8) {
            out.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    /// Appends a string, bytes or a message that is encoded already.
    static func append(_ field: UInt64, bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        appendKey(field, 2, to: &out)
        appendVarint(UInt64(bytes.count), to: &out)
        out.append(contentsOf: bytes)
    }

    /// Appends a field with a length, whose contents `body` appends.
    static func append(_ field: UInt64, to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        appendKey(field, 2, to: &out)
        // Most lengths take a byte or two: what is encoded is moved when its length takes more.
        let place = out.count
        out.append(0)
        body(&out)
        var length = UInt64(out.count - place - 1)
        guard length >= 0x80 else {
            out[place] = UInt8(length)
            return
        }
        out[place] = UInt8(truncatingIfNeeded: length) | 0x80
        length >>= 7
        var more: [UInt8] = []
        appendVarint(length, to: &more)
        out.insert(contentsOf: more, at: place + 1)
    }
}

/// Reads the wire format of protocol buffers. Lengths that exceed the bytes end it.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case bytes(ArraySlice<UInt8>)
        /// Four or eight bytes.
        case fixed(UInt64)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next field; nil at the end, and where the bytes are malformed.
    mutating func next() -> (field: UInt64, value: Value)? {
        guard let key = varint() else {
            return nil
        }
        switch key & 7 {
        case 0: return varint().map { (key >> 3, .varint($0)) }
        case 1: return fixed(8).map { (key >> 3, .fixed($0)) }
        case 2:
            guard let length = varint(), length <= UInt64(rest.count) else {
                return nil
            }
            defer { rest = rest.dropFirst(Int(length)) }
            return (key >> 3, .bytes(rest.prefix(Int(length))))
        case 5: return fixed(4).map { (key >> 3, .fixed($0)) }
        default: return nil
        }
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else {
                return nil
            }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                return value
            }
        }
        return nil
    }

    private mutating func fixed(_ count: Int) -> UInt64? {
        guard rest.count >= count else {
            return nil
        }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
