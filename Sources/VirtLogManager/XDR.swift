/// Takes the parts of a message apart: big-endian words, and bytes padded to four (XDR, RFC 4506 sections 4.1–4.11).
struct XDRReader {
    private var rest: ArraySlice<UInt8>

    /// The message ends before what it should hold, or holds more than it may.
    struct Malformed: Error {}

    init(_ bytes: some Collection<UInt8>) {
        rest = ArraySlice(Array(bytes))
    }

    mutating func unsigned() throws(Malformed) -> UInt32 {
        try bytes(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func signed() throws(Malformed) -> Int32 {
        Int32(bitPattern: try unsigned())
    }

    mutating func unsignedHyper() throws(Malformed) -> UInt64 {
        try bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// As many bytes as are said before, `limit` at most.
    mutating func string(limit: Int) throws(Malformed) -> [UInt8] {
        let count = Int(try unsigned())
        guard count <= limit else {
            throw Malformed()
        }
        let text = try opaque(count)
        return text
    }

    /// `count` bytes, and what pads them.
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

/// Puts a message together.
struct XDRWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ value: Int32) {
        put(UInt32(bitPattern: value))
    }

    mutating func put(_ value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ text: some Collection<UInt8>) {
        put(UInt32(text.count))
        bytes.append(contentsOf: text)
        bytes.append(contentsOf: repeatElement(0, count: -text.count & 3))
    }

    mutating func put(_ text: String) {
        put(Array(text.utf8))
    }

    /// A value that may be absent: whether it is there, and then the value.
    mutating func put(optional text: String?) {
        put(UInt32(text == nil ? 0 : 1))
        if let text {
            put(text)
        }
    }
}
