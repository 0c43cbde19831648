// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Reads MessagePack that others have written. Nothing is allocated for what a length claims, only for what is there.
public struct MessagePackReader: Sendable {
    /// Why there is no value.
    public enum Failure: Error, Hashable {
        /// The bytes end inside a value: more may come.
        case incomplete
        case malformed
    }

    private let bytes: ArraySlice<UInt8>
    /// The offset after the last value.
    public private(set) var at: Int

    /// How many values the one that is read may still have.
    private var valuesLeft = 0

    /// Deeper nesting is malformed, so that none exhausts the stack.
    private static let maximumDepth = 32
    /// More values in one are malformed: each takes some fifty bytes of memory, and may be one byte in the text.
    static let maximumValues = 1_000_000

    /// A reader of these bytes.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    public var isAtEnd: Bool { at == bytes.endIndex }

    /// The next value.
    public mutating func next() throws(Failure) -> MessagePackValue {
        let start = at
        valuesLeft = Self.maximumValues
        do throws(Failure) {
            return try value(depth: 0)
        } catch {
            at = start
            throw error
        }
    }

    private mutating func value(depth: Int) throws(Failure) -> MessagePackValue {
        valuesLeft -= 1
        guard depth < Self.maximumDepth, valuesLeft >= 0 else {
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
        try take(count).bigEndian
    }
}
