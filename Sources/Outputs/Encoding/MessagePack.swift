// SPDX-License-Identifier: Apache-2.0

/// Writes MessagePack (github.com/msgpack/msgpack, spec.md).
enum MessagePackWriter {
    static func append(string text: some Collection<UInt8>, to out: inout [UInt8]) {
        appendHead(text.count, fixed: (0xa0, 31), [0xd9, 0xda, 0xdb], to: &out)
        out.append(contentsOf: text)
    }

    static func append(string text: String, to out: inout [UInt8]) {
        append(string: text.utf8, to: &out)
    }

    static func append(binary bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        appendHead(bytes.count, fixed: nil, [0xc4, 0xc5, 0xc6], to: &out)
        out.append(contentsOf: bytes)
    }

    static func append(arrayOf count: Int, to out: inout [UInt8]) {
        appendHead(count, fixed: (0x90, 15), [nil, 0xdc, 0xdd], to: &out)
    }

    static func append(mapOf count: Int, to out: inout [UInt8]) {
        appendHead(count, fixed: (0x80, 15), [nil, 0xde, 0xdf], to: &out)
    }

    static func append(bool value: Bool, to out: inout [UInt8]) {
        out.append(value ? 0xc3 : 0xc2)
    }

    static func append(unsigned value: UInt64, to out: inout [UInt8]) {
        switch value {
        case 0..<0x80: out.append(UInt8(value))
        case 0x80...0xff: out += [0xcc, UInt8(value)]
        case 0x100...0xffff: appendNumber(0xcd, value, bytes: 2, to: &out)
        case 0x1_0000...0xffff_ffff: appendNumber(0xce, value, bytes: 4, to: &out)
        default: appendNumber(0xcf, value, bytes: 8, to: &out)
        }
    }

    /// Appends the time of an event in the Fluentd Forward protocol (version 1, "EventTime Ext Format"): extension type 0
    /// with seconds and nanoseconds in 32 bits each.
    static func append(eventTime nanoseconds: Int64, to out: inout [UInt8]) {
        out += [0xd7, 0x00]
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        appendBytes(UInt64(UInt32(truncatingIfNeeded: seconds)), count: 4, to: &out)
        appendBytes(UInt64(rest), count: 4, to: &out)
    }

    /// Appends the head of a string, a binary, an array or a map: `fixed` is the form with the length in the first byte,
    /// and the longest such; then the first bytes of the forms with the length in 8, 16 and 32 bits.
    private static func appendHead(
        _ count: Int,
        fixed: (base: UInt8, longest: Int)?,
        _ forms: [UInt8?],
        to out: inout [UInt8]
    ) {
        if let fixed, count <= fixed.longest {
            out.append(fixed.base | UInt8(count))
        } else if let form = forms[0], count <= 0xff {
            out += [form, UInt8(count)]
        } else if let form = forms[1], count <= 0xffff {
            appendNumber(form, UInt64(count), bytes: 2, to: &out)
        } else if let form = forms[2] {
            appendNumber(form, UInt64(count), bytes: 4, to: &out)
        }
    }

    private static func appendNumber(_ form: UInt8, _ value: UInt64, bytes: Int, to out: inout [UInt8]) {
        out.append(form)
        appendBytes(value, count: bytes, to: &out)
    }

    private static func appendBytes(_ value: UInt64, count: Int, to out: inout [UInt8]) {
        for place in (0..<count).reversed() {
            out.append(UInt8(truncatingIfNeeded: value >> UInt64(place * 8)))
        }
    }
}

/// A value of MessagePack.
indirect enum MessagePackValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer beyond `Int64`.
    case unsigned(UInt64)
    case float(Double)
    /// A string or a binary: receivers of logs treat both alike.
    case bytes(ArraySlice<UInt8>)
    case array([MessagePackValue])
    case map([(key: MessagePackValue, value: MessagePackValue)])
    case extended(type: Int8, ArraySlice<UInt8>)

    static func == (left: MessagePackValue, right: MessagePackValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.unsigned(let a), .unsigned(let b)): a == b
        case (.float(let a), .float(let b)): a == b
        case (.bytes(let a), .bytes(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.map(let a), .map(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        case (.extended(let a, let b), .extended(let c, let d)): a == c && b == d
        default: false
        }
    }

    func hash(into hasher: inout Hasher) {
        if case .bytes(let bytes) = self {
            hasher.combine(bytes)
        }
    }

    /// The text of a string; nil for other values, and when it is not UTF-8.
    var text: String? {
        guard case .bytes(let bytes) = self else {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The value of a map's member.
    subscript(name: String) -> MessagePackValue? {
        guard case .map(let members) = self else {
            return nil
        }
        return members.first { $0.key.text == name }?.value
    }
}

/// Reads MessagePack that others have written. Nothing is allocated for what a length claims, only for what is there.
struct MessagePackReader {
    /// Why there is no value.
    enum Failure: Error, Hashable {
        /// The bytes end inside a value: more may come.
        case incomplete
        case malformed
    }

    private let bytes: ArraySlice<UInt8>
    /// The place after the last value.
    private(set) var at: Int

    /// Deeper nesting is malformed, so that none exhausts the stack.
    private static let maximumDepth = 32

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    var isAtEnd: Bool { at == bytes.endIndex }

    /// The next value.
    mutating func next() throws(Failure) -> MessagePackValue {
        let start = at
        do throws(Failure) {
            return try value(depth: 0)
        } catch {
            at = start
            throw error
        }
    }

    private mutating func value(depth: Int) throws(Failure) -> MessagePackValue {
        guard depth < Self.maximumDepth else {
            throw .malformed
        }
        let form = UInt8(try number(1))
        switch form {
        case 0x00...0x7f: return .integer(Int64(form))
        case 0x80...0x8f: return try map(Int(form & 15), depth)
        case 0x90...0x9f: return try array(Int(form & 15), depth)
        case 0xa0...0xbf: return .bytes(try take(Int(form & 31)))
        case 0xc0: return .null
        case 0xc2, 0xc3: return .bool(form == 0xc3)
        case 0xc4, 0xd9: return .bytes(try take(Int(try number(1))))
        case 0xc5, 0xda: return .bytes(try take(Int(try number(2))))
        case 0xc6, 0xdb: return .bytes(try take(Int(try number(4))))
        case 0xc7, 0xc8, 0xc9: return try extended(Int(try number(1 << Int(form - 0xc7))))
        case 0xca: return .float(Double(Float(bitPattern: UInt32(try number(4)))))
        case 0xcb: return .float(Double(bitPattern: try number(8)))
        case 0xcc...0xcf: return Self.integer(try number(1 << Int(form - 0xcc)))
        case 0xd0: return .integer(Int64(Int8(truncatingIfNeeded: try number(1))))
        case 0xd1: return .integer(Int64(Int16(truncatingIfNeeded: try number(2))))
        case 0xd2: return .integer(Int64(Int32(truncatingIfNeeded: try number(4))))
        case 0xd3: return .integer(Int64(bitPattern: try number(8)))
        case 0xd4...0xd8: return try extended(1 << Int(form - 0xd4))
        case 0xdc: return try array(Int(try number(2)), depth)
        case 0xdd: return try array(Int(try number(4)), depth)
        case 0xde: return try map(Int(try number(2)), depth)
        case 0xdf: return try map(Int(try number(4)), depth)
        case 0xe0...0xff: return .integer(Int64(Int8(bitPattern: form)))
        default: throw .malformed
        }
    }

    private static func integer(_ value: UInt64) -> MessagePackValue {
        Int64(exactly: value).map { .integer($0) } ?? .unsigned(value)
    }

    private mutating func array(_ count: Int, _ depth: Int) throws(Failure) -> MessagePackValue {
        // Each element has a byte at least.
        guard count <= bytes.endIndex - at else {
            throw .incomplete
        }
        var elements: [MessagePackValue] = []
        for _ in 0..<count {
            elements.append(try value(depth: depth + 1))
        }
        return .array(elements)
    }

    private mutating func map(_ count: Int, _ depth: Int) throws(Failure) -> MessagePackValue {
        guard count <= (bytes.endIndex - at) / 2 else {
            throw .incomplete
        }
        var members: [(key: MessagePackValue, value: MessagePackValue)] = []
        for _ in 0..<count {
            members.append((try value(depth: depth + 1), try value(depth: depth + 1)))
        }
        return .map(members)
    }

    private mutating func extended(_ count: Int) throws(Failure) -> MessagePackValue {
        let type = Int8(truncatingIfNeeded: try number(1))
        return .extended(type: type, try take(count))
    }

    private mutating func take(_ count: Int) throws(Failure) -> ArraySlice<UInt8> {
        guard count <= bytes.endIndex - at else {
            throw .incomplete
        }
        defer { at += count }
        return bytes[at..<at + count]
    }

    private mutating func number(_ count: Int) throws(Failure) -> UInt64 {
        try take(count).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
