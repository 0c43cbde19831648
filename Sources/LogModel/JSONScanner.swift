// SPDX-License-Identifier: Apache-2.0

/// Walks over JSON text (RFC 8259) without building values.
///
/// Nesting deeper than `maximumDepth` is refused. Control characters inside strings are accepted, because programs
/// write them.
public struct JSONScanner {
    /// What a value is.
    public enum Kind: Sendable {
        /// A string: its contents are between the quotes; `isPlain` when they have no escapes and are printable ASCII.
        case string(isPlain: Bool)
        case object
        case array
        /// A number, `true`, `false` or `null`.
        case word
    }

    public let bytes: UnsafeRawBufferPointer
    /// The offset of the next byte.
    public var offset: Int

    public static let maximumDepth = 64

    public init(_ bytes: UnsafeRawBufferPointer, at start: Int = 0) {
        self.bytes = bytes
        offset = start
    }

    /// Whether `bytes` is one object with nothing but white space around it.
    public static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        guard scanner.current == UInt8(ascii: "{"), scanner.skipValue() != nil else {
            return false
        }
        scanner.skipSpace()
        return scanner.offset == bytes.count
    }

    public var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    public mutating func skipSpace() {
        while offset < bytes.count, bytes[offset] <= 0x20,
            bytes[offset] == 0x20 || bytes[offset] == 0x0a || bytes[offset] == 0x0d || bytes[offset] == 0x09
        {
            offset += 1
        }
    }

    /// Skips `byte` if it comes next.
    public mutating func take(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else {
            return false
        }
        offset += 1
        return true
    }

    /// Skips the value that begins here; nil, with `offset` undefined, when it is malformed, cut off or too deep.
    public mutating func skipValue(depth: Int = 0) -> Kind? {
        guard depth <= Self.maximumDepth, let byte = current else {
            return nil
        }
        switch byte {
        case UInt8(ascii: "\""):
            return skipString().map { .string(isPlain: $0) }
        case UInt8(ascii: "{"):
            return skipMembers(depth: depth) ? .object : nil
        case UInt8(ascii: "["):
            return skipElements(depth: depth) ? .array : nil
        case UInt8(ascii: "t"): return skip("true") ? .word : nil
        case UInt8(ascii: "f"): return skip("false") ? .word : nil
        case UInt8(ascii: "n"): return skip("null") ? .word : nil
        default: return skipNumber() ? .word : nil
        }
    }

    /// Skips a string with its quotes; whether it is plain, nil when it is malformed or cut off.
    public mutating func skipString() -> Bool? {
        guard take(UInt8(ascii: "\"")) else {
            return nil
        }
        var isPlain = true
        while true {
            offset = PlainText.end(in: bytes, from: offset, orAt: UInt8(ascii: "\""))
            guard offset < bytes.count else {
                return nil
            }
            let byte = bytes[offset]
            offset += 1
            if byte == UInt8(ascii: "\"") {
                return isPlain
            }
            isPlain = false
            if byte == UInt8(ascii: "\\"), !skipEscape() {
                return nil
            }
        }
    }

    private mutating func skipEscape() -> Bool {
        guard let letter = current else {
            return false
        }
        offset += 1
        guard letter == UInt8(ascii: "u") else {
            return "\"\\/bfnrt".utf8.contains(letter)
        }
        guard offset + 4 <= bytes.count, bytes[offset..<offset + 4].allSatisfy({ $0.hexadecimalValue != nil }) else {
            return false
        }
        offset += 4
        return true
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard offset + count <= bytes.count,
            bytes[offset..<offset + count].elementsEqual(UnsafeRawBufferPointer(start: word.utf8Start, count: count))
        else {
            return false
        }
        offset += count
        return true
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        let start = offset
        guard skipDigits() > 0, bytes[start] != UInt8(ascii: "0") || offset == start + 1 else {
            return false
        }
        if take(UInt8(ascii: ".")), skipDigits() == 0 {
            return false
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            return skipDigits() > 0
        }
        return true
    }

    private mutating func skipDigits() -> Int {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") <= 9 {
            offset += 1
        }
        return offset - start
    }

    private mutating func skipMembers(depth: Int) -> Bool {
        offset += 1
        skipSpace()
        if take(UInt8(ascii: "}")) {
            return true
        }
        repeat {
            skipSpace()
            guard skipString() != nil else {
                return false
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else {
                return false
            }
            skipSpace()
            guard skipValue(depth: depth + 1) != nil else {
                return false
            }
            skipSpace()
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}"))
    }

    private mutating func skipElements(depth: Int) -> Bool {
        offset += 1
        skipSpace()
        if take(UInt8(ascii: "]")) {
            return true
        }
        repeat {
            skipSpace()
            guard skipValue(depth: depth + 1) != nil else {
                return false
            }
            skipSpace()
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]"))
    }
}
