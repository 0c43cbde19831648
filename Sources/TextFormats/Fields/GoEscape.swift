// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The escapes of strings in Go (The Go Programming Language Specification, "Rune literals"), in JSON, and in what Rust
/// prints for debugging.
///
/// `\xNN` and `\NNN` are bytes, not characters; with Rust's escapes, `\0` is a NUL whatever follows. A half of a surrogate
/// pair is U+FFFD. A backslash before anything else stays.
public enum GoEscape {
    /// Decodes `text` to the end of the record's buffer; returns the range of the result.
    static func decode(_ text: UnsafeRawBufferPointer, into record: inout RecordBuffer) -> Range<Int> {
        record.store(atMost: text.count) { decode(text, to: &$0) }
    }

    /// Decodes `text`; `isRust`: which Rust has printed.
    public static func decode(_ text: UnsafeRawBufferPointer, isRust: Bool = false) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: text.count) { buffer, count in
            guard let start = buffer.baseAddress else {
                return
            }
            var pointer = start
            decode(text, isRust: isRust, to: &pointer)
            count = pointer - start
        }
    }

    /// Writes the decoded text, which is not longer than `text`, at `pointer`, and advances that.
    private static func decode(
        _ text: UnsafeRawBufferPointer,
        isRust: Bool = false,
        to pointer: inout UnsafeMutablePointer<UInt8>
    ) {
        let backslash = UInt8(ascii: "\\")
        var offset = 0
        while let escape = text.firstOffset(of: backslash, from: offset) {
            pointer.write(UnsafeRawBufferPointer(rebasing: text[offset..<escape]))
            offset = escape + 1
            if offset < text.count, let byte = simple(text[offset]) {
                pointer.write(byte)
                offset += 1
            } else if isRust, offset < text.count, text[offset] == UInt8(ascii: "0") {
                pointer.write(UInt8(0))
                offset += 1
            } else if let (byte, count) = numeric(text, from: offset) {
                pointer.write(byte)
                offset += count
            } else if offset < text.count, let (scalar, count) = scalar(text, from: offset) {
                UTF8.encode(scalar)?.forEach { pointer.write($0) }
                offset += count
            } else {
                pointer.write(backslash)
            }
        }
        pointer.write(UnsafeRawBufferPointer(rebasing: text[offset...]))
    }

    private static func simple(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "a"): 0x07
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "v"): 0x0b
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        default: nil
        }
    }

    /// `xNN` or three octal digits: the byte, and how many bytes of text they are.
    private static func numeric(_ text: UnsafeRawBufferPointer, from offset: Int) -> (UInt8, count: Int)? {
        guard offset + 3 <= text.count else {
            return nil
        }
        if text[offset] == UInt8(ascii: "x") {
            guard let high = text[offset + 1].hexadecimalValue, let low = text[offset + 2].hexadecimalValue else {
                return nil
            }
            return (high << 4 | low, 3)
        }
        var value = 0
        for digit in text[offset..<offset + 3] {
            guard digit & 0xf8 == UInt8(ascii: "0") else {
                return nil
            }
            value = value << 3 | Int(digit & 7)
        }
        return UInt8(exactly: value).map { ($0, 3) }
    }

    /// `uNNNN`, two of them that are a surrogate pair, `UNNNNNNNN`, or Rust's `u{N}` with up to six digits.
    private static func scalar(_ text: UnsafeRawBufferPointer, from offset: Int) -> (Unicode.Scalar, count: Int)? {
        if text[offset...].starts(with: "u{".utf8) {
            let first = offset + 2
            let digits = text[first...].prefix(7).prefix { $0.hexadecimalValue != nil }.count
            guard (1...6).contains(digits), first + digits < text.count, text[first + digits] == UInt8(ascii: "}"),
                let value = number(text, from: first, digits)
            else {
                return nil
            }
            return (Unicode.Scalar(value) ?? "\u{fffd}", digits + 3)
        }
        let digits = text[offset] == UInt8(ascii: "u") ? 4 : text[offset] == UInt8(ascii: "U") ? 8 : 0
        guard digits > 0, let value = number(text, from: offset + 1, digits) else {
            return nil
        }
        if (0xd800..<0xdc00).contains(value), digits == 4, offset + 6 < text.count,
            text[offset + 5] == UInt8(ascii: "\\"), text[offset + 6] == UInt8(ascii: "u"),
            let low = number(text, from: offset + 7, 4),
            (0xdc00..<0xe000).contains(low),
            let pair = Unicode.Scalar(0x10000 + (value - 0xd800) << 10 + (low - 0xdc00))
        {
            return (pair, 11)
        }
        return (Unicode.Scalar(value) ?? "\u{fffd}", 1 + digits)
    }

    private static func number(_ text: UnsafeRawBufferPointer, from offset: Int, _ digits: Int) -> UInt32? {
        guard offset + digits <= text.count else {
            return nil
        }
        var value: UInt32 = 0
        for digit in text[offset..<offset + digits] {
            guard let digit = digit.hexadecimalValue else {
                return nil
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
