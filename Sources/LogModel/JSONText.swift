// SPDX-License-Identifier: Apache-2.0

/// Bytes as a JSON string, straight from memory.
public enum JSONText {
    /// Appends `bytes` as a JSON string. What is not UTF-8 becomes U+FFFD; returns whether there was any.
    ///
    /// Controls, and characters that reorder or hide text, are escaped: valid JSON that no terminal acts on.
    @discardableResult
    public static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        out.append(UInt8(ascii: "\""))
        let isLossy = appendUnquoted(bytes, to: &out)
        out.append(UInt8(ascii: "\""))
        return isLossy
    }

    /// The same without the quotes.
    private static func appendUnquoted(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        var isLossy = false
        var at = 0
        while at < bytes.count {
            let end = PlainText.end(in: bytes, from: at, orAt: UInt8(ascii: "\""))
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
