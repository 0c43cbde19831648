// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A console's line as a person in front of the terminal reads it.
///
/// Colours become style or are dropped; what paints nothing is dropped (titles, modes, queries, hyperlinks, BEL, NUL);
/// CR, BS, erasures and cursor motions within the row are applied. Other control characters, and an ESC that begins no
/// sequence, are spelled as `\xNN`. The result has no control characters but TAB, and SGR sequences where colour is
/// wanted; the bytes of characters beyond ASCII, and bytes that are not UTF-8, are kept.
public enum DisplayedLine {
    /// SGR 0.
    static let reset = Array("\u{1b}[0m".utf8)

    /// Whether a terminal shows `bytes`, a line without its end, as they are.
    public static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        PlainLines.firstControl(in: bytes, from: 0) == bytes.count && !bytes.contains(Byte.feed)
    }

    /// The number of bytes at the end of `bytes`, a line whose end was not received, of which a terminal shows nothing yet:
    /// they begin an escape sequence.
    public static func unfinishedSequence(atEndOf bytes: UnsafeRawBufferPointer) -> Int {
        ControlSequence.unfinished(atEndOf: bytes)
    }

    /// The row of the screen that a line is painted in, as far as the guest has said.
    public enum Row: Hashable, Sendable {
        case unknown
        /// The guest has moved the cursor to that row, counted from 1.
        case named(Int)
        /// The guest has moved the cursor up, over the line before.
        case above
    }

    /// The row of the line with the bytes `content`, by the sequences before its text.
    public static func row(of content: UnsafeRawBufferPointer) -> Row {
        var row = Row.unknown
        var saved = Row.unknown
        var offset = 0
        while offset < content.count {
            switch content[offset] {
            case Byte.escape:
                guard case .sequence(let sequence) = ControlSequence.parse(content, at: offset) else {
                    return row
                }
                switch sequence.effect {
                case .position(let number, _): row = .named(number)
                case .saveCursor: saved = row
                case .restoreCursor: row = saved
                case .leavesRow(isToAbove: true): row = .above
                default: break
                }
                offset = sequence.end
            case Byte.carriageReturn, UInt8(ascii: " "):
                offset += 1
            default:
                return row
            }
        }
        return row
    }

    /// Appends the line with the bytes `content`, of which the line's end is no part. `sets` are the character sets at
    /// its beginning, as far as they are known. Edits of the row touch at most `work` cells, as many as programs need by
    /// default. `above` is the line before it; where the line is painted behind that, both are shown.
    ///
    /// Returns the number of visible characters that were painted over with others, or erased.
    @discardableResult
    public static func append(
        _ content: UnsafeRawBufferPointer,
        sets known: CharacterSets = CharacterSets(),
        above: UnsafeRawBufferPointer? = nil,
        color: Bool,
        work: Int? = nil,
        to out: inout [UInt8]
    ) -> Int {
        if let above, let overwritten = append(content, behind: above, color: color, to: &out) {
            return overwritten
        }
        let start = out.count
        let sets = known.isInitial && LineDrawing.precedes(content) ? .drawing : known
        if sets.isInitial, copy(content, color: color, to: &out) {
            return 0
        }
        out.removeSubrange(start...)
        var painter = RowPainter(color: color, sets: sets, work: work ?? RowPainter.work(for: content.count))
        painter.paint(content)
        painter.append(to: &out)
        return painter.overwritten
    }

    /// Whether `sequence` is SGR with digits, `;` and `:` only, and few enough.
    static func isColor(_ sequence: UnsafeRawBufferPointer) -> Bool {
        sequence.count <= 3 + TerminalEscaper.maximumParameters
            && sequence.dropFirst(2).dropLast().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: ";")).contains($0) }
    }

    /// Appends a line in which the cursor only moves forward; false when that is not so, and the row has to be painted.
    private static func copy(_ bytes: UnsafeRawBufferPointer, color: Bool, to out: inout [UInt8]) -> Bool {
        var isAtStart = true
        var offset = 0
        // The CRs of the line's end move nothing.
        var textEnd = bytes.count
        while textEnd > 0, bytes[textEnd - 1] == Byte.carriageReturn {
            textEnd -= 1
        }
        while offset < bytes.count {
            let end = PlainText.end(in: bytes, from: offset)
            if end > offset {
                out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                offset = end
                isAtStart = false
                continue
            }
            let byte = bytes[offset]
            switch byte {
            case Byte.escape:
                guard case .sequence(let sequence) = ControlSequence.parse(bytes, at: offset) else {
                    EscapedText.append(byte: byte, to: &out)
                    isAtStart = false
                    break
                }
                let text = UnsafeRawBufferPointer(rebasing: bytes[offset..<sequence.end])
                guard copies(sequence.effect, isAtStart: isAtStart) else {
                    return false
                }
                if color, sequence.effect == .style, isColor(text) {
                    out.append(contentsOf: text)
                }
                offset = sequence.end
                continue
            case Byte.carriageReturn:
                guard isAtStart || offset >= textEnd else {
                    return false
                }
            case Byte.backspace:
                guard isAtStart else {
                    return false
                }
            case Byte.verticalTab, Byte.formFeed, Byte.delete:
                break
            case Byte.shiftOut:
                return false
            case 0..<0x20 where byte != Byte.tab:
                if !Byte.isIgnored(byte) {
                    EscapedText.append(byte: byte, to: &out)
                    isAtStart = false
                }
            default:
                out.append(byte)
                isAtStart = false
            }
            offset += 1
        }
        return true
    }

    /// Whether the sequence leaves what was copied as it is, and the cursor behind it.
    private static func copies(_ effect: ControlSequence.Effect, isAtStart: Bool) -> Bool {
        switch effect {
        case .none, .style, .edit(.eraseToEnd), .insertMode: true
        case .characterSet(let isSecond, let drawsLines): isSecond || !drawsLines
        case .leavesRow, .clearsScreen, .resetsTerminal: true
        case .position(_, let column): isAtStart && column ?? 1 == 1
        case .column(.absolute(1)): isAtStart
        case .edit(.eraseAll), .edit(.eraseToStart): isAtStart
        case .column, .edit, .saveCursor, .restoreCursor: false
        }
    }
}
