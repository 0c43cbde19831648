// SPDX-License-Identifier: Apache-2.0

import LogModel

@testable import TextFormats

/// The inverse of escaping: the output determines the input.
extension TerminalEscaper {
    /// The bytes that were escaped, or nil when `text` is not the output of an escaper without colour.
    /// Only necessary escapes in their one form are accepted, and no raw control but LF and TAB: `\x41`, `\X1B`, `\r`,
    /// a lone backslash and a raw ESC all give nil. Other raw bytes are literal.
    static func unescape(_ text: some Sequence<UInt8>) -> [UInt8]? {
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
            guard let high = rest.popFirst().flatMap(Self.value(ofDigit:)),
                let low = rest.popFirst().flatMap(Self.value(ofDigit:))
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
        // At most six digits between the braces.
        guard rest.popFirst() == UInt8(ascii: "{"), rest.first != UInt8(ascii: "0"),
            let brace = rest.prefix(7).firstIndex(of: UInt8(ascii: "}"))
        else {
            return false
        }
        var value: UInt32 = 0
        for byte in rest[..<brace] {
            guard let digit = Self.value(ofDigit: byte) else {
                return false
            }
            value = value << 4 | UInt32(digit)
        }
        rest = rest[(brace + 1)...]
        // Below U+0080 the form is `\xNN`.
        guard value >= 0x80, let scalar = Unicode.Scalar(value), scalar.isTerminalHazard,
            let encoded = UTF8.encode(scalar)
        else {
            return false
        }
        out.append(contentsOf: encoded)
        return true
    }

    private static func value(ofDigit byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
