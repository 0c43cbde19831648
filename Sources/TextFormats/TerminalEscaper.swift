// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Makes guest output safe to show, one character at a time, reversibly.
///
/// Characters that a terminal would act on, or show as nothing (`Unicode.Scalar.isTerminalHazard`), become text:
/// - `\xNN` for a control character below U+0080 and for every byte that is not part of well-formed UTF-8 (surrogates
///   and values beyond U+10FFFF are not), two lower-case hexadecimal digits;
/// - `\u{…}` for any other code point, lower-case hexadecimal without leading zeros;
/// - in the exact styles `\\` for a backslash, so that they can be reversed; in the others a backslash is itself, because
///   unit names and Windows paths are copied from there.
///
/// There are no other escapes: CR is `\x0d`, never `\r`.
///
/// State is kept between calls: a character or a sequence divided over two batches is treated as whole, and the output
/// does not depend on where the input was divided. At most 34 bytes of input are held back.
public struct TerminalEscaper: Sendable {
    /// The purpose of the text.
    public enum Style: Hashable, Sendable {
        /// One line for people. A well-formed SGR sequence (`ESC [`, at most 32 of `0-9;:`, `m`) is passed where `color`
        /// is true, and is reset at the end so that no line colours the next; where it is false the sequence is dropped.
        /// LF is escaped, TAB is not. Cannot be reversed: a backslash is itself.
        case line(color: Bool)
        /// Exact: nothing is dropped or added; the original bytes can be restored. LF and TAB are not escaped.
        case exact
        /// Exact, with LF and TAB escaped too: for a name or a value inside a line.
        case field
    }

    /// More parameters than any colour needs: enough for four 24-bit colours.
    static let maximumParameters = 32

    private let isExact: Bool
    private let readsColor: Bool
    private let showsColor: Bool
    private let keepsFeeds: Bool
    private let keepsTabs: Bool

    /// The beginning of a UTF-8 or an SGR sequence that is incomplete; never anything else.
    private var held: [UInt8] = []
    /// Whether a colour was passed and not reset since.
    private var isColored = false

    public init(style: Style) {
        switch style {
        case .line(let color):
            (isExact, readsColor, showsColor, keepsFeeds, keepsTabs) = (false, true, color, false, true)
        case .exact: (isExact, readsColor, showsColor, keepsFeeds, keepsTabs) = (true, false, false, true, true)
        case .field: (isExact, readsColor, showsColor, keepsFeeds, keepsTabs) = (true, false, false, false, false)
        }
    }

    /// Appends the next bytes, escaped, to `out`.
    public mutating func escape(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            if held.isEmpty {
                let end = PlainText.end(in: bytes, from: offset)
                if end > offset {
                    out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                    offset = end
                    continue
                }
            }
            append(bytes[offset], into: &out)
            offset += 1
        }
    }

    /// Appends bytes held back, and a reset if a colour is still on.
    public mutating func finish(into out: inout [UInt8]) {
        if !held.isEmpty {
            release(into: &out)
        }
        resetColor(into: &out)
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
            EscapedText.append(byte: UInt8(scalar.value), to: &out)
        } else {
            EscapedText.append(codePoint: scalar.value, to: &out)
        }
    }

    // MARK: One byte

    private mutating func append(_ byte: UInt8, into out: inout [UInt8]) {
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
        case Byte.escape where readsColor, 0xc2...0xf4:
            held.append(byte)
        case Byte.feed where keepsFeeds, Byte.tab where keepsTabs:
            out.append(byte)
        case Byte.backslash:
            out.append(byte)
            if isExact {
                out.append(byte)
            }
        case 0x20..<0x7f:
            out.append(byte)
        default:
            EscapedText.append(byte: byte, to: &out)
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
                EscapedText.append(byte: byte, to: &out)
            }
        }
        held.removeAll(keepingCapacity: true)
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
        if let scalar = Unicode.Scalar(value), !isEscaped(scalar) {
            out.append(contentsOf: held)
        } else {
            EscapedText.append(codePoint: value, to: &out)
        }
        held.removeAll(keepingCapacity: true)
        return true
    }

    /// Persian and Indic scripts, and emoji, need the zero-width joiner and non-joiner: where text need not be exact they
    /// are passed.
    private func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isTerminalHazard && (isExact || !(0x200c...0x200d).contains(scalar.value))
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
