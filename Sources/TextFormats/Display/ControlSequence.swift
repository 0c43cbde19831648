// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A control sequence that begins with ESC (ECMA-48, section 5.4; the private ones as in xterm's "ctlseqs"), and what it
/// does to the row of text that the cursor is in.
///
/// A sequence that is not well-formed is text: nothing that a guest has printed is swallowed because of a lone ESC.
struct ControlSequence: Equatable {
    enum Effect: Equatable {
        /// Nothing is painted and the cursor does not move: titles, modes, queries and their answers, hyperlinks.
        case none
        /// Colours and other renditions (SGR).
        case style
        /// The character set G0 or G1 is that of the DEC line drawing characters, or another one.
        case characterSet(isSecond: Bool, drawsLines: Bool)
        /// The cursor moves within its row.
        case column(Column)
        /// Characters of the row are erased, deleted or inserted.
        case edit(Edit)
        /// Characters are inserted from now on, or replace others again (IRM).
        case insertMode(Bool)
        /// The cursor moves to a row and a column, both counted from 1; nil is the present one.
        case position(row: Int, column: Int?)
        /// The cursor moves to another row, to the one above or elsewhere, or the row moves: scrolling.
        case leavesRow(isToAbove: Bool)
        /// What was painted is gone: the screen is cleared or exchanged.
        case clearsScreen
        /// The same, and all modes.
        case resetsTerminal
        case saveCursor, restoreCursor
    }

    enum Column: Equatable {
        case absolute(Int), forward(Int), back(Int), tabsForward(Int), tabsBack(Int)
    }

    enum Edit: Equatable {
        case eraseToEnd, eraseToStart, eraseAll, erase(Int), delete(Int), insert(Int), repeatLast(Int)
    }

    /// Index of the first byte after it.
    var end: Int
    var effect: Effect

    enum Result: Equatable {
        case sequence(ControlSequence)
        /// The bytes end inside it.
        case incomplete
        /// The byte after ESC begins none, or it is not well-formed or too long.
        case malformed
    }

    /// The most bytes of a CSI sequence, and of a string such as a title. systemd's contexts (OSC 3008) have some 300.
    private static let longestSequence = 64
    private static let longestString = 4096

    /// The sequence whose ESC is at `start`.
    static func parse(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Result {
        guard start + 1 < bytes.count else {
            return .incomplete
        }
        let second = bytes[start + 1]
        switch second {
        case UInt8(ascii: "["):
            return parseControl(bytes, at: start)
        // The last is a window's title, of screen and tmux.
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "k"):
            return parsePalette(bytes, at: start) ?? parseString(bytes, at: start)
        case 0x20...0x2f:
            return parseDesignation(bytes, at: start)
        case 0x30...0x7e:
            return .sequence(ControlSequence(end: start + 2, effect: effect(ofEscape: second)))
        case Byte.escape:
            // A sequence begins anew.
            return .sequence(ControlSequence(end: start + 1, effect: .none))
        case _ where isCancel(second):
            return cancelled(at: start + 1)
        default:
            return .malformed
        }
    }

    /// The number of bytes at the end of `bytes` that begin a sequence of which the end may follow.
    static func unfinished(atEndOf bytes: UnsafeRawBufferPointer) -> Int {
        var found = 0
        for offset in bytes.indices.suffix(longestString + 1).reversed() where bytes[offset] == Byte.escape {
            guard parse(bytes, at: offset) == .incomplete else {
                break
            }
            // A lone ESC may also be the first byte of the end of a string.
            found = bytes.count - offset
            guard found == 1 else {
                break
            }
        }
        return found
    }

    // MARK: - Kinds of sequences

    /// CAN and SUB end a sequence, which then does nothing.
    private static func isCancel(_ byte: UInt8) -> Bool { byte == 0x18 || byte == 0x1a }

    private static func cancelled(at offset: Int) -> Result {
        .sequence(ControlSequence(end: offset + 1, effect: .none))
    }

    /// The Linux console's sequences of its palette, `ESC ] R` and `ESC ] P` with seven hexadecimal digits
    /// (console_codes(4)): they look like strings and have no end. nil for others.
    private static func parsePalette(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Result? {
        let text = bytes[(start + 1)...]
        guard text.starts(with: "]R".utf8) || text.starts(with: "]P".utf8) else {
            return nil
        }
        let digits = bytes[start + 2] == UInt8(ascii: "R") ? 0 : 7
        guard text.dropFirst(2).prefix(digits).allSatisfy({ $0.hexadecimalValue != nil }) else {
            return nil
        }
        let end = start + 3 + digits
        return end <= bytes.count ? .sequence(ControlSequence(end: end, effect: .none)) : .incomplete
    }

    private static func effect(ofEscape byte: UInt8) -> Effect {
        switch byte {
        case UInt8(ascii: "7"): .saveCursor
        case UInt8(ascii: "8"): .restoreCursor
        // Index, next line, reverse index.
        case UInt8(ascii: "D"), UInt8(ascii: "E"), UInt8(ascii: "M"): .leavesRow(isToAbove: byte == UInt8(ascii: "M"))
        case UInt8(ascii: "c"): .resetsTerminal
        default: .none
        }
    }

    /// A character set: intermediate bytes and one final byte. `ESC ( 0` and `ESC ) 0` designate line drawing.
    private static func parseDesignation(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Result {
        var offset = start + 1
        while offset < bytes.count, (0x20...0x2f).contains(bytes[offset]) {
            offset += 1
            if offset - start > longestSequence {
                return .malformed
            }
        }
        guard offset < bytes.count else {
            return .incomplete
        }
        guard (0x30...0x7e).contains(bytes[offset]) else {
            return .malformed
        }
        let isDrawing = bytes[offset] == UInt8(ascii: "0")
        let effect: Effect =
            switch (offset - start, bytes[start + 1]) {
            case (2, UInt8(ascii: "(")): .characterSet(isSecond: false, drawsLines: isDrawing)
            case (2, UInt8(ascii: ")")): .characterSet(isSecond: true, drawsLines: isDrawing)
            default: .none
            }
        return .sequence(ControlSequence(end: offset + 1, effect: effect))
    }

    /// A string that ends with BEL or ST (`ESC \`).
    private static func parseString(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Result {
        var offset = start + 2
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x07:
                return .sequence(ControlSequence(end: offset + 1, effect: .none))
            case Byte.escape:
                guard offset + 1 < bytes.count else {
                    return .incomplete
                }
                return bytes[offset + 1] == Byte.backslash
                    ? .sequence(ControlSequence(end: offset + 2, effect: .none)) : .malformed
            case let byte where isCancel(byte):
                return cancelled(at: offset)
            case 0..<0x20 where bytes[offset] != Byte.tab:
                return .malformed
            default:
                offset += 1
            }
            if offset - start > longestString {
                return .malformed
            }
        }
        return .incomplete
    }

    /// CSI: parameters, intermediates, one final byte.
    private static func parseControl(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Result {
        var offset = start + 2
        let first = offset
        while offset < bytes.count, (0x30...0x3f).contains(bytes[offset]) {
            offset += 1
        }
        let parameters = UnsafeRawBufferPointer(rebasing: bytes[first..<offset])
        let intermediates = offset
        while offset < bytes.count, (0x20...0x2f).contains(bytes[offset]) {
            offset += 1
        }
        if offset - start > longestSequence {
            return .malformed
        }
        guard offset < bytes.count else {
            return .incomplete
        }
        guard (0x40...0x7e).contains(bytes[offset]) else {
            return isCancel(bytes[offset]) ? cancelled(at: offset) : .malformed
        }
        let effect: Effect =
            offset == intermediates
            ? Self.effect(ofControl: bytes[offset], Parameters(parameters)) : .none
        return .sequence(ControlSequence(end: offset + 1, effect: effect))
    }

    private static func effect(ofControl final: UInt8, _ parameters: Parameters) -> Effect {
        // Most sequences are colours.
        if final == UInt8(ascii: "m"), !parameters.isPrivate {
            return .style
        }
        guard !parameters.isPrivate else {
            // The alternate screen, and the return from it.
            let isScreen = final == UInt8(ascii: "h") || final == UInt8(ascii: "l")
            return isScreen && [47, 1047, 1049].contains(parameters[0] ?? 0) ? .clearsScreen : .none
        }
        let count = max(1, parameters[0] ?? 1)
        switch final {
        case UInt8(ascii: "C"), UInt8(ascii: "a"): return .column(.forward(count))
        case UInt8(ascii: "D"): return .column(.back(count))
        case UInt8(ascii: "G"), UInt8(ascii: "`"): return .column(.absolute(count))
        case UInt8(ascii: "I"): return .column(.tabsForward(count))
        case UInt8(ascii: "Z"): return .column(.tabsBack(count))
        case UInt8(ascii: "H"), UInt8(ascii: "f"):
            return .position(row: count, column: max(1, parameters[1] ?? 1))
        case UInt8(ascii: "d"): return .position(row: count, column: nil)
        // Up, previous line.
        case UInt8(ascii: "A"), UInt8(ascii: "F"): return .leavesRow(isToAbove: count == 1)
        // Down, next line; scrolling; inserted and deleted rows; the scroll region.
        case UInt8(ascii: "B"), UInt8(ascii: "E"), UInt8(ascii: "e"), UInt8(ascii: "S"), UInt8(ascii: "T"),
            UInt8(ascii: "L"), UInt8(ascii: "M"), UInt8(ascii: "r"):
            return .leavesRow(isToAbove: false)
        case UInt8(ascii: "K"), UInt8(ascii: "J"):
            return effect(ofErase: final, parameters[0] ?? 0)
        case UInt8(ascii: "X"): return .edit(.erase(count))
        case UInt8(ascii: "P"): return .edit(.delete(count))
        case UInt8(ascii: "@"): return .edit(.insert(count))
        case UInt8(ascii: "h"), UInt8(ascii: "l"):
            return count == 4 ? .insertMode(final == UInt8(ascii: "h")) : .none
        case UInt8(ascii: "b"): return .edit(.repeatLast(count))
        case UInt8(ascii: "s"): return .saveCursor
        case UInt8(ascii: "u"): return .restoreCursor
        default: return .none
        }
    }

    /// EL, and ED, of which only what it does to the row of the cursor matters unless it clears the whole screen.
    private static func effect(ofErase final: UInt8, _ parameter: Int) -> Effect {
        switch parameter {
        case 0: .edit(.eraseToEnd)
        case 1: .edit(.eraseToStart)
        case 2, 3: final == UInt8(ascii: "K") ? .edit(.eraseAll) : .clearsScreen
        default: .none
        }
    }

    /// The numbers of a CSI sequence.
    private struct Parameters {
        private let bytes: UnsafeRawBufferPointer

        init(_ bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        /// Whether a private marker, `<`, `=`, `>` or `?`, precedes them.
        var isPrivate: Bool { bytes.first.map { (0x3c...0x3f).contains($0) } ?? false }

        /// The number at `index`, at most 9999; nil when it is omitted.
        subscript(index: Int) -> Int? {
            var offset = isPrivate ? 1 : 0
            for _ in 0..<index {
                guard let separator = bytes[offset...].firstIndex(of: UInt8(ascii: ";")) else {
                    return nil
                }
                offset = separator + 1
            }
            var value: Int?
            while offset < bytes.count, bytes[offset].isDecimalDigit {
                value = min(9999, (value ?? 0) * 10 + Int(bytes[offset] - UInt8(ascii: "0")))
                offset += 1
            }
            return value
        }
    }
}
