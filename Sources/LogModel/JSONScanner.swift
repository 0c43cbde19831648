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
    public var at: Int

    public static let maximumDepth = 64

    public init(_ bytes: UnsafeRawBufferPointer, at start: Int = 0) {
        self.bytes = bytes
        at = start
    }

    /// Whether `bytes` is one object with nothing but white space around it.
    public static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        guard scanner.current == UInt8(ascii: "{"), scanner.skipValue() != nil else {
            return false
        }
        scanner.skipSpace()
        return scanner.at == bytes.count
    }

    public var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    public mutating func skipSpace() {
        while at < bytes.count, bytes[at] <= 0x20,
            bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09
        {
            at += 1
        }
    }

    /// Skips `byte` if it comes next.
    public mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else {
            return false
        }
        at += 1
        return true
    }

    /// Skips the value that begins here; nil, with `at` undefined, when it is malformed, cut off or too deep.
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
            at = PlainText.end(in: bytes, from: at, orAt: UInt8(ascii: "\""))
            guard at < bytes.count else {
                return nil
            }
            let byte = bytes[at]
            at += 1
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
        at += 1
        guard letter == UInt8(ascii: "u") else {
            return "\"\\/bfnrt".utf8.contains(letter)
        }
        guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ $0.hexadecimalValue != nil }) else {
            return false
        }
        at += 4
        return true
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count,
            bytes[at..<at + count].elementsEqual(UnsafeRawBufferPointer(start: word.utf8Start, count: count))
        else {
            return false
        }
        at += count
        return true
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        let start = at
        guard skipDigits() > 0, bytes[start] != UInt8(ascii: "0") || at == start + 1 else {
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
        let start = at
        while at < bytes.count, bytes[at] &- UInt8(ascii: "0") <= 9 {
            at += 1
        }
        return at - start
    }

    private mutating func skipMembers(depth: Int) -> Bool {
        at += 1
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
        at += 1
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
