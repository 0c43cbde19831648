// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Decodes messages: big-endian words, and bytes padded to four (XDR, RFC 4506 sections 4.1–4.19).
public struct XDRReader: Equatable, Sendable {
    private var rest: ArraySlice<UInt8>

    /// The message is too short, or contains more than allowed.
    public struct Malformed: Error {}

    public init(_ bytes: some Collection<UInt8>) {
        rest = ArraySlice(Array(bytes))
    }

    /// An `unsigned int`.
    public mutating func unsigned() throws(Malformed) -> UInt32 {
        UInt32(try bytes(4).bigEndian)
    }

    /// An `int`, or an `enum`.
    mutating func signed() throws(Malformed) -> Int32 {
        Int32(bitPattern: try unsigned())
    }

    /// An `unsigned hyper`.
    public mutating func unsignedHyper() throws(Malformed) -> UInt64 {
        try bytes(8).bigEndian
    }

    /// The number of an array's elements, `limit` at most.
    mutating func count(limit: Int) throws(Malformed) -> Int {
        let count = Int(try unsigned())
        guard count <= limit else {
            throw Malformed()
        }
        return count
    }

    /// Bytes with a preceding length, `limit` at most.
    public mutating func string(limit: Int) throws(Malformed) -> [UInt8] {
        try opaque(try count(limit: limit))
    }

    /// A string that may be absent.
    mutating func optionalString(limit: Int) throws(Malformed) -> [UInt8]? {
        try count(limit: 1) == 1 ? string(limit: limit) : nil
    }

    /// `count` bytes, with their padding.
    mutating func opaque(_ count: Int) throws(Malformed) -> [UInt8] {
        let bytes = Array(try bytes(count))
        _ = try self.bytes(-count & 3)
        return bytes
    }

    private mutating func bytes(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
        guard count <= rest.count else {
            throw Malformed()
        }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

/// Encodes messages.
public struct XDRWriter: Sendable {
    /// The encoded bytes.
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// Puts an `unsigned int`.
    public mutating func put(_ value: UInt32) {
        bytes.append(bigEndian: value)
    }

    /// Puts an `int`.
    public mutating func put(_ value: Int32) {
        put(UInt32(bitPattern: value))
    }

    /// Puts an `unsigned hyper`.
    public mutating func put(_ value: UInt64) {
        bytes.append(bigEndian: value)
    }

    /// Puts bytes with a preceding length.
    public mutating func put(_ text: some Collection<UInt8>) {
        put(UInt32(text.count))
        put(opaque: text)
    }

    /// Puts a string.
    public mutating func put(_ text: String) {
        put(Array(text.utf8))
    }

    /// Puts bytes of a length known to the reader.
    public mutating func put(opaque bytes: some Collection<UInt8>) {
        self.bytes.append(contentsOf: bytes)
        self.bytes.append(contentsOf: repeatElement(0, count: -bytes.count & 3))
    }

    /// Puts an optional value: a flag, and the value if there is one.
    public mutating func put(optional text: String?) {
        put(UInt32(text == nil ? 0 : 1))
        if let text {
            put(text)
        }
    }
}
