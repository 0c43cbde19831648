// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Prevents a guest's line from looking like a line of Guestlog's own in `text` and `short`.
///
/// After the time and the prefix of the format, a marker begins with two hyphens and a space, a message of the program
/// with `guestlog:` and a space. Where a guest's displayed line begins like this, that space is written as an escape:
/// `--\x20boot 99`. Markers have no escapes.
///
/// Characters that a reader does not see, or takes for the head of the line, are skipped: colours, blanks, combining
/// characters, and times and prefixes that the guest itself has written. All kinds of dashes and blanks count as those
/// of a marker.
///
/// State is kept between the pieces of a line, so that the result does not depend on where a line was cut.
struct MarkerGuard {
    /// What has been shown of the line: blanks folded into single spaces, all kinds of dashes into `-` or `longDash`,
    /// other characters beyond ASCII into `other`, invisible ones omitted.
    private var shown: [UInt8] = []
    private var endsInBlank = false
    /// Whether the line cannot begin like a marker any more.
    private var isDecided = false

    /// Longer than the head with the longest name, every byte of it escaped.
    private static let longestHead = 640

    /// Begins a line.
    mutating func beginLine() {
        shown.removeAll(keepingCapacity: true)
        endsInBlank = false
        isDecided = false
    }

    /// Checks the piece of a line that was appended to `out` at `start`, already escaped, and changes it where it
    /// completes the beginning of a marker.
    mutating func check(_ out: inout [UInt8], from start: Int, isWholeLine: Bool) {
        guard !isDecided, !(isWholeLine && Self.isPlainlyHarmless(out, from: start)) else {
            return
        }
        var offset = start
        while offset < out.count, !isDecided {
            let (scalar, length) = Self.scalar(in: out, at: offset)
            if scalar == "\u{1b}" {
                offset = Self.endOfColor(in: out, at: offset)
                continue
            }
            switch scalar.appearance {
            case .invisible:
                break
            case .blank:
                if !endsInBlank, beginsAsOurs {
                    var escape: [UInt8] = []
                    TerminalEscaper.spell(scalar, into: &escape)
                    out.replaceSubrange(offset..<offset + length, with: escape)
                    isDecided = true
                }
                if !endsInBlank, let first = shown.first, !Self.beginsHead(first) {
                    isDecided = true
                }
                endsInBlank = true
            case .dash: append(UInt8(ascii: "-"))
            case .longDash: append(Self.longDash)
            case .other: append(scalar.isASCII ? UInt8(scalar.value) : Self.other)
            }
            offset += length
        }
    }

    /// `name`, already escaped, with blanks escaped where a marker could seem to begin: names are part of heads.
    static func guarded(name: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var follows = false
        for scalar in String(decoding: name, as: UTF8.self).unicodeScalars {
            switch scalar.appearance {
            case .blank where follows: TerminalEscaper.spell(scalar, into: &out)
            case .invisible: out.append(contentsOf: UTF8.encode(scalar)!)
            default:
                out.append(contentsOf: UTF8.encode(scalar)!)
                follows = scalar.appearance == .dash || scalar.appearance == .longDash
            }
        }
        return out
    }

    private mutating func append(_ character: UInt8) {
        if endsInBlank, !shown.isEmpty {
            shown.append(UInt8(ascii: " "))
        }
        endsInBlank = false
        shown.append(character)
        isDecided = shown.count > Self.longestHead
    }

    // MARK: - The beginning of a marker

    private static let longDash: UInt8 = 0x80
    private static let other: UInt8 = 0x81

    /// Whether a blank after `shown` would make it the beginning of a marker or of a message.
    private var beginsAsOurs: Bool {
        if shown.last == UInt8(ascii: ":"), shown.elementsEqual("guestlog:".utf8) {
            return true
        }
        let head = shown.prefix(shown.count - shown.reversed().prefix { Self.isDash($0) }.count)
        let dashes = shown[head.count...]
        guard dashes.count == 2 || dashes.elementsEqual([Self.longDash]) else {
            return false
        }
        return HeadShape.isHead(head.last == UInt8(ascii: " ") ? head.dropLast() : head)
    }

    private static func isDash(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == longDash }

    /// Whether a line whose first word begins with that character can look like a marker: the word is then dashes, a
    /// prefix, a time or a month.
    private static func beginsHead(_ first: UInt8) -> Bool {
        switch first {
        case UInt8(ascii: "["), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: false
        }
    }

    /// Whether no part of a whole line can belong to the beginning of a marker: true for nearly all lines, and fast.
    private static func isPlainlyHarmless(_ out: [UInt8], from start: Int) -> Bool {
        out.withUnsafeBytes { bytes in
            let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let first = text.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            guard let first, first != UInt8(ascii: "g") else {
                return first == nil
            }
            var offset = 0
            while true {
                offset = PlainText.end(in: text, from: offset, orAt: UInt8(ascii: "-"))
                guard offset < text.count else {
                    return true
                }
                let byte = text[offset]
                let isPair = byte == UInt8(ascii: "-") && offset + 1 < text.count && text[offset + 1] == byte
                if byte >= 0x80 || byte == 0x1b || isPair {
                    return false
                }
                offset += 1
            }
        }
    }

    // MARK: - Characters

    /// The character at `offset` of escaped text, which is UTF-8, and its length in bytes.
    private static func scalar(in out: [UInt8], at offset: Int) -> (Unicode.Scalar, Int) {
        let first = out[offset]
        guard first >= 0x80 else {
            return (Unicode.Scalar(first), 1)
        }
        let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        let lead = UInt32(first) & (0xff >> UInt32(length + 1))
        let value = out[offset + 1..<min(offset + length, out.count)].reduce(lead) { $0 << 6 | UInt32($1 & 0x3f) }
        return (Unicode.Scalar(value) ?? "\u{fffd}", length)
    }

    /// The end of the colour sequence at `offset`; the escaper passes nothing else that begins with ESC.
    private static func endOfColor(in out: [UInt8], at offset: Int) -> Int {
        (out[offset...].firstIndex(of: UInt8(ascii: "m")) ?? out.count - 1) + 1
    }
}

extension Unicode.Scalar {
    /// How a reader perceives a character.
    fileprivate enum Appearance {
        case invisible, blank, dash, longDash, other
    }

    fileprivate var appearance: Appearance {
        switch value {
        case 0x09, 0x20: return .blank
        case 0x2d: return .dash
        case 0..<0x80: return .other
        // The em dash, the horizontal bar, two and three em dashes, the small em dash.
        case 0x2014, 0x2015, 0x2e3a, 0x2e3b, 0xfe58: return .longDash
        // The Ogham space mark, which most fonts show as a line; minus signs, the hyphen bullet; lines of terminals and
        // of box drawings; strokes of East Asian scripts.
        case 0x1680, 0x2d7, 0x2043, 0x207b, 0x208b, 0x2212, 0x2796: return .dash
        // The Arabic full stop and a Coptic letter.
        case 0x6d4, 0x2cba: return .dash
        case 0x23af, 0x23ba...0x23bd, 0x23e4, 0x2500...0x2501, 0x2504...0x2505, 0x2508...0x2509: return .dash
        case 0x254c...0x254d, 0x2574, 0x2576, 0x2578, 0x257a, 0x257c, 0x257e: return .dash
        case 0x1173, 0x2f00, 0x30fc, 0x3161, 0x31d0, 0x4e00, 0xff70: return .dash
        // The blank of Braille.
        case 0x2800: return .blank
        default: break
        }
        switch properties.generalCategory {
        case .dashPunctuation: return .dash
        case .nonspacingMark, .enclosingMark, .spacingMark, .format: return .invisible
        default: return properties.isWhitespace ? .blank : .other
        }
    }
}
