/// How an escaped byte and an escaped code point are spelled.
enum Spelling {
    static func append(byte: UInt8, to out: inout [UInt8]) {
        out.append(Byte.backslash)
        out.append(UInt8(ascii: "x"))
        out.append(digit(byte >> 4))
        out.append(digit(byte & 15))
    }

    static func append(codePoint: UInt32, to out: inout [UInt8]) {
        out.append(contentsOf: [Byte.backslash, UInt8(ascii: "u"), UInt8(ascii: "{")])
        let digits = max(1, (32 - codePoint.leadingZeroBitCount + 3) / 4)
        for place in (0..<digits).reversed() {
            out.append(digit(UInt8(truncatingIfNeeded: codePoint >> UInt32(4 * place)) & 15))
        }
        out.append(UInt8(ascii: "}"))
    }

    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    static func value(ofDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

extension TerminalEscaper {
    /// The bytes that were escaped, or nil when `text` is nothing an escaper makes without colour.
    ///
    /// Only needed escapes in their one spelling are taken, and no raw control but LF and TAB: `\x41`, `\X1B`, `\r`,
    /// a lone backslash and a raw ESC all give nil. Other raw bytes stand for themselves.
    public static func unescape(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let text = Array(text)
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case Byte.feed, Byte.tab:
                out.append(byte)
            case 0..<0x20, 0x7f:
                return nil
            case Byte.backslash:
                guard takeEscape(from: &rest, into: &out) else {
                    return nil
                }
            default:
                out.append(byte)
            }
        }
        return out
    }

    private static func takeEscape(from rest: inout ArraySlice<UInt8>, into out: inout [UInt8]) -> Bool {
        switch rest.popFirst() {
        case Byte.backslash:
            out.append(Byte.backslash)
            return true
        case UInt8(ascii: "x"):
            guard let high = rest.popFirst().flatMap(Spelling.value(ofDigit:)),
                let low = rest.popFirst().flatMap(Spelling.value(ofDigit:))
            else {
                return false
            }
            let byte = high << 4 | low
            out.append(byte)
            return byte < 0x20 || byte >= 0x7f
        case UInt8(ascii: "u"):
            return takeCodePoint(from: &rest, into: &out)
        default:
            return false
        }
    }

    private static func takeCodePoint(from rest: inout ArraySlice<UInt8>, into out: inout [UInt8]) -> Bool {
        // At most six digits stand between the braces.
        guard rest.popFirst() == UInt8(ascii: "{"), rest.first != UInt8(ascii: "0"),
            let brace = rest.prefix(7).firstIndex(of: UInt8(ascii: "}"))
        else {
            return false
        }
        var value: UInt32 = 0
        for byte in rest[..<brace] {
            guard let digit = Spelling.value(ofDigit: byte) else {
                return false
            }
            value = value << 4 | UInt32(digit)
        }
        rest = rest[(brace + 1)...]
        // Below U+0080 the spelling is `\xNN`.
        guard value >= 0x80, let scalar = Unicode.Scalar(value), scalar.isTerminalHazard,
            let encoded = UTF8.encode(scalar)
        else {
            return false
        }
        out.append(contentsOf: encoded)
        return true
    }
}
