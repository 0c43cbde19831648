import LogModel
import TextFormats

/// Bytes as a JSON string, straight from memory.
enum JSONText {
    /// Appends `bytes` as a JSON string. What is not UTF-8 becomes U+FFFD; whether there was any such.
    ///
    /// Controls, and characters that reorder or hide text, are escaped: valid JSON that no terminal acts on.
    @discardableResult
    static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        out.append(UInt8(ascii: "\""))
        let isLossy = appendUnquoted(bytes, to: &out)
        out.append(UInt8(ascii: "\""))
        return isLossy
    }

    /// The same without the quotes.
    static func appendUnquoted(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        var isLossy = false
        var at = 0
        while at < bytes.count {
            let end = plainEnd(bytes, from: at)
            if end > at {
                out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
                at = end
                continue
            }
            if bytes[at] < 0x80 {
                appendEscape(bytes[at], to: &out)
                at += 1
                continue
            }
            var decoder = UTF8.ForwardParser()
            var rest = bytes[at..<min(bytes.count, at + 4)].makeIterator()
            switch decoder.parseScalar(from: &rest) {
            case .valid(let encoded):
                let scalar = UTF8.decode(encoded)
                if scalar.isTerminalHazard {
                    appendUnicode(scalar, to: &out)
                } else {
                    out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<at + encoded.count]))
                }
                at += encoded.count
            case .error(let length):
                out.append(contentsOf: "\u{fffd}".utf8)
                isLossy = true
                at += max(1, length)
            case .emptyInput:
                return isLossy
            }
        }
        return isLossy
    }

    /// The end of the run of printable ASCII without quote and backslash that begins at `start`; eight at a time.
    private static func plainEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var at = start
        while at + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let low = (word &- 0x20 &* ones) & ~word
            let (quote, backslash, delete) = (word ^ (0x22 &* ones), word ^ (0x5c &* ones), word ^ (0x7f &* ones))
            let others = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
            let stops = (low | others | word) & (0x80 &* ones)
            if stops != 0 {
                return at + stops.trailingZeroBitCount / 8
            }
            at += 8
        }
        while at < bytes.count, (0x20..<0x7f).contains(bytes[at]), bytes[at] != 0x22, bytes[at] != 0x5c {
            at += 1
        }
        return at
    }

    private static func appendEscape(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case 0x22, 0x5c: out.append(contentsOf: [0x5c, byte])
        case 0x09: out.append(contentsOf: #"\t"#.utf8)
        case 0x0a: out.append(contentsOf: #"\n"#.utf8)
        case 0x0d: out.append(contentsOf: #"\r"#.utf8)
        default: appendUnit(UInt16(byte), to: &out)
        }
    }

    private static func appendUnicode(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        for unit in UTF16.encode(scalar)! {
            appendUnit(unit, to: &out)
        }
    }

    private static func appendUnit(_ unit: UInt16, to out: inout [UInt8]) {
        out.append(contentsOf: #"\u"#.utf8)
        for shift in [12, 8, 4, 0] as [UInt16] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift) & 15
            out.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

/// Bytes in base 64 (RFC 4648, section 4).
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var at = 0
        while at < bytes.count {
            let count = min(3, bytes.count - at)
            var group: UInt32 = 0
            for place in 0..<3 {
                group = group << 8 | (place < count ? UInt32(bytes[at + place]) : 0)
            }
            for place in 0..<4 {
                let isFilled = place <= count
                out.append(isFilled ? digits[Int(group >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
            at += 3
        }
    }
}
