// SPDX-License-Identifier: Apache-2.0

import LogModel

// Lines that are painted behind the text of the line before them: OpenRC ends a line, and moves the cursor up and to the
// right to print the result of what the line announced.
extension DisplayedLine {
    /// Whether the line that begins with `beginning`, behind an LF, moves the cursor up to the line before, or may do so when
    /// `beginning` is incomplete.
    public static func mayMoveUp(_ beginning: UnsafeRawBufferPointer) -> Bool { endOfMoveUp(in: beginning) != nil }

    /// Appends the line `above`, and behind it what `content`, the next line, paints in its row. Returns the number of visible
    /// characters that were painted over, or nil, without appending anything, when `content` paints elsewhere, or anew from
    /// the row's beginning.
    static func append(
        _ content: UnsafeRawBufferPointer,
        behind above: UnsafeRawBufferPointer,
        color: Bool,
        to out: inout [UInt8]
    ) -> Int? {
        guard let start = endOfMoveUp(in: content), start < content.count else {
            return nil
        }
        let row = UnsafeRawBufferPointer(rebasing: above[DisplayedRows.lastRow(of: above, isWhole: true)...])
        var painter = RowPainter(
            color: color,
            sets: CharacterSets(),
            work: RowPainter.work(for: row.count + content.count)
        )
        painter.paint(row)
        guard painter.returnFromNextLine() else {
            return nil
        }
        let (cells, overwritten) = (painter.cells, painter.overwritten)
        painter.paint(UnsafeRawBufferPointer(rebasing: content[start...]))
        let first = zip(cells, painter.cells).prefix { $0 == $1 }.count
        let isAdded = painter.overwritten == overwritten || cells[..<first].contains(where: painter.isVisible)
        guard !painter.row.isAway, isAdded, painter.cells[first...].contains(where: painter.isVisible) else {
            return nil
        }
        painter.append(to: &out)
        return painter.overwritten - overwritten
    }

    /// The end of what moves the cursor to the row above at the beginning of `content`; nil when it begins in another way.
    private static func endOfMoveUp(in content: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while offset < content.count {
            switch content[offset] {
            case Byte.carriageReturn:
                offset += 1
            case Byte.escape:
                switch ControlSequence.parse(content, at: offset) {
                case .sequence(let sequence):
                    switch sequence.effect {
                    case .none, .style:
                        offset = sequence.end
                    case .leavesRow(isToAbove: true):
                        return sequence.end
                    default:
                        return nil
                    }
                case .incomplete:
                    return content.count
                case .malformed:
                    return nil
                }
            default:
                return nil
            }
        }
        return offset
    }
}
