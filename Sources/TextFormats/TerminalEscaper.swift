// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Makes guest output safe to show, one character at a time, reversibly.
///
/// Characters that a terminal would act on, or show as nothing (`Unicode.Scalar.isTerminalHazard`), become text:
/// - `\xNN` for a control character below U+0080 and for every byte that is not part of well-formed UTF-8 (surrogates
///   and values beyond U+10FFFF are not), two lower-case hexadecimal digits;
/// - `\u{…}` for any other code point, lower-case hexadecimal without leading zeros;
/// - `\\` for a backslash, so that the two above cannot be forged.
///
/// There are no other escapes: CR is `\x0d`, never `\r`; so escapes can be reversed. LF and TAB are not escaped, except
/// where a style says so.
///
/// State is kept between calls: a character or a sequence divided over two batches is treated as whole, and the output
/// does not depend on where the input was divided. At most 34 bytes of input are held back.
public struct TerminalEscaper: Sendable {
    /// The purpose of the text.
    public enum Style: Hashable, Sendable {
        /// For people. CRs directly before an LF belong to the line's end and are dropped, as are CRs at a line's
        /// start, where they have no effect. A well-formed SGR sequence (`ESC [`, at most 32 of `0-9;:`, `m`) is passed
        /// where `color` is true, and is reset before the line's end so that no line colours the next; where it is
        /// false the sequence is dropped. Every other escape sequence is shown, its ESC as `\x1b`.
        case display(color: Bool)
        /// As `display`, for one line: a line feed, which a record's text may contain, is escaped too.
        case line(color: Bool)
        /// Exact: nothing is dropped or added; the original bytes can be restored.
        case exact
        /// Exact, with LF and TAB escaped too: for a name or a value inside a line.
        case field
    }

    /// More parameters than any colour needs: enough for four 24-bit colours.
    static let maximumParameters = 32
    /// How many CRs may wait for an LF. Consoles send one or two; a guest that sends only CRs must not fill the memory.
    static let maximumReturns = 16

    private let keepsReturns: Bool
    private let readsColor: Bool
    private let showsColor: Bool
    private let keepsFeeds: Bool
    private let keepsTabs: Bool

    /// The beginning of a UTF-8 or an SGR sequence that is incomplete; never anything else.
    private var held: [UInt8] = []
    /// CRs that are dropped if an LF follows.
    private var returns = 0
    /// Whether nothing of the current line has been shown yet.
    private var atLineStart = true
    /// Whether a colour was passed and not reset since.
    private var isColored = false

    public init(style: Style) {
        switch style {
        case .display(let color):
            (keepsReturns, readsColor, showsColor, keepsFeeds, keepsTabs) = (false, true, color, true, true)
        case .line(let color):
            (keepsReturns, readsColor, showsColor, keepsFeeds, keepsTabs) = (false, true, color, false, true)
        case .exact:
            (keepsReturns, readsColor, showsColor, keepsFeeds, keepsTabs) = (true, false, false, true, true)
        case .field:
            (keepsReturns, readsColor, showsColor, keepsFeeds, keepsTabs) = (true, false, false, false, false)
        }
    }

    /// Appends the next bytes, escaped, to `out`.
    public mutating func escape(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
        var at = 0
        while at < bytes.count {
            if held.isEmpty && returns == 0 {
                let end = PlainText.end(in: bytes, from: at)
                if end > at {
                    out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
                    atLineStart = false
                    at = end
                    continue
                }
            }
            take(bytes[at], into: &out)
            at += 1
        }
    }

    /// Appends bytes held back, and a reset if a colour is still on. The next bytes begin a new line.
    public mutating func finish(into out: inout [UInt8]) {
        release(into: &out)
        settleReturns(into: &out)
        resetColor(into: &out)
        atLineStart = true
    }

    /// Escapes `bytes` as a whole.
    public static func escape(_ bytes: some Sequence<UInt8>, style: Style) -> [UInt8] {
        let bytes = Array(bytes)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var escaper = TerminalEscaper(style: style)
        bytes.withUnsafeBytes { escaper.escape($0, into: &out) }
        escaper.finish(into: &out)
        return out
    }

    /// Appends `scalar` as an escape, in the form above, whether it needs one or not.
    public static func spell(_ scalar: Unicode.Scalar, into out: inout [UInt8]) {
        if scalar.isASCII {
            Spelling.append(byte: UInt8(scalar.value), to: &out)
        } else {
            Spelling.append(codePoint: scalar.value, to: &out)
        }
    }

    // MARK: One byte

    private mutating func take(_ byte: UInt8, into out: inout [UInt8]) {
        if !held.isEmpty {
            if held[0] == Byte.escape ? extendSequence(byte, into: &out) : extendCharacter(byte, into: &out) {
                return
            }
            release(into: &out)
        }
        begin(byte, into: &out)
    }

    private mutating func begin(_ byte: UInt8, into out: inout [UInt8]) {
        switch byte {
        case Byte.feed where keepsFeeds:
            returns = 0
            resetColor(into: &out)
            out.append(byte)
            atLineStart = true
            return
        case Byte.carriageReturn where !keepsReturns:
            takeReturn(into: &out)
            return
        default:
            settleReturns(into: &out)
        }
        switch byte {
        case Byte.escape where readsColor, 0xc2...0xf4:
            held.append(byte)
            return
        case Byte.tab where keepsTabs:
            out.append(byte)
        case Byte.backslash:
            out.append(byte)
            out.append(byte)
        case 0x20..<0x7f:
            out.append(byte)
        default:
            Spelling.append(byte: byte, to: &out)
        }
        atLineStart = false
    }

    private mutating func takeReturn(into out: inout [UInt8]) {
        if atLineStart {
            return
        }
        if returns < Self.maximumReturns {
            returns += 1
        } else {
            Spelling.append(byte: Byte.carriageReturn, to: &out)
        }
    }

    /// Shows the CRs that were not followed by an LF.
    private mutating func settleReturns(into out: inout [UInt8]) {
        while returns > 0 {
            Spelling.append(byte: Byte.carriageReturn, to: &out)
            returns -= 1
        }
    }

    /// Shows the held bytes, which the next byte does not continue. An SGR sequence without its ESC is plain text.
    private mutating func release(into out: inout [UInt8]) {
        guard !held.isEmpty else {
            return
        }
        for byte in held {
            if (0x20..<0x7f).contains(byte) {
                out.append(byte)
            } else {
                Spelling.append(byte: byte, to: &out)
            }
        }
        held.removeAll(keepingCapacity: true)
        atLineStart = false
    }

    // MARK: Sequences of bytes

    /// Adds `byte` to the held UTF-8 sequence; false when it does not continue it.
    private mutating func extendCharacter(_ byte: UInt8, into out: inout [UInt8]) -> Bool {
        let first = held[0]
        let allowed = held.count == 1 ? UTF8Shape.secondBytes(after: first) : 0x80...0xbf
        guard allowed.contains(byte) else {
            return false
        }
        held.append(byte)
        guard held.count == UTF8Shape.length(startingWith: first) else {
            return true
        }
        let lead = UInt32(first) & (0xff >> UInt32(held.count + 1))
        let value = held.dropFirst().reduce(lead) { $0 << 6 | UInt32($1 & 0x3f) }
        if let scalar = Unicode.Scalar(value), !scalar.isTerminalHazard {
            out.append(contentsOf: held)
        } else {
            Spelling.append(codePoint: value, to: &out)
        }
        held.removeAll(keepingCapacity: true)
        atLineStart = false
        return true
    }

    /// Adds `byte` to the held SGR sequence; false when it does not continue it.
    private mutating func extendSequence(_ byte: UInt8, into out: inout [UInt8]) -> Bool {
        if held.count == 1 {
            guard byte == UInt8(ascii: "[") else {
                return false
            }
            held.append(byte)
            return true
        }
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: ";") where held.count < 2 + Self.maximumParameters:
            held.append(byte)
        case UInt8(ascii: "m"):
            if showsColor {
                out.append(contentsOf: held)
                out.append(byte)
                // No parameters, or only zeros, are the reset itself.
                isColored = !held.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ";") }
            }
            held.removeAll(keepingCapacity: true)
        default:
            return false
        }
        return true
    }

    private mutating func resetColor(into out: inout [UInt8]) {
        if isColored {
            out.append(contentsOf: Self.reset)
            isColored = false
        }
    }

    private static let reset = Array("\u{1b}[0m".utf8)
}
