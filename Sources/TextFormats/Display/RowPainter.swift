// SPDX-License-Identifier: Apache-2.0

/// Paints the bytes of one displayed line into the cells of a terminal's row.
///
/// Each character has one cell, or two if it is wide; combining characters join the one before. Only for lines in which
/// the cursor moves: others are copied.
struct RowPainter {
    struct Cell: Equatable {
        /// Its characters: a range of `characters`. Empty is a blank that nothing has painted.
        var text: Range<Int>
        /// An index of `styles`.
        var style: Int
        /// Which half of a wide character it has. The left one has the text.
        var half = Half.none

        enum Half {
            case none, left, right
        }

        static let empty = Cell(text: 0..<0, style: 0)
    }

    /// Columns beyond this, and beyond the last painted one, are not reached: wider than any terminal.
    static let widest = 512
    private static let consoleWidth = 80
    /// The bytes of a cell: combining characters beyond this have cells of their own.
    private static let longestCell = 64
    /// How many cells edits may touch, for each byte of the line and for any line. A line that needs more was not made by
    /// a program that edits a row, and further edits in it have no effect.
    private static let workPerByte = 16
    private static let leastWork = 1 << 16
    /// A style is made of the SGR sequences since the last reset; longer ones begin anew with the last.
    private static let longestStyle = 64

    private let color: Bool
    var cells: [Cell] = []
    var column = 0
    private var savedColumn = 0
    private var insertsCharacters = false
    var row = CursorRow()
    /// What was painted in other rows since the cursor left the line's: ranges of `characters`.
    private var elsewhere: [Range<Int>] = []
    private var characters: [UInt8] = []
    /// SGR sequences; the first is none.
    private var styles: [[UInt8]] = [[]]
    private var style = 0
    private var sets: CharacterSets
    /// Visible characters that were painted over with others, or erased.
    var overwritten = 0
    /// How many cells edits may still touch.
    var workLeft: Int

    /// A painter of a row that begins with the character sets `sets`. Edits of it touch at most `work` cells.
    init(color: Bool, sets: CharacterSets, work: Int) {
        self.color = color
        self.sets = sets
        workLeft = work
    }

    /// How many cells edits may touch in a line of `count` bytes.
    static func work(for count: Int) -> Int { leastWork + count * workPerByte }

    mutating func paint(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case Byte.escape:
                if case .sequence(let sequence) = ControlSequence.parse(bytes, at: offset) {
                    apply(sequence.effect, UnsafeRawBufferPointer(rebasing: bytes[offset..<sequence.end]))
                    offset = sequence.end
                    continue
                }
                putEscape(byte)
            case Byte.carriageReturn:
                if isWrap(bytes, at: offset) {
                    cells.removeLast()
                    column -= 1
                } else {
                    column = 0
                }
            case Byte.backspace:
                column = max(0, column - 1)
            case Byte.tab:
                moveToTabStop()
            case Byte.verticalTab, Byte.formFeed:
                follow(.leavesRow(isToAbove: false))
            case Byte.delete:
                break
            case 0..<0x20:
                if Byte.isIgnored(byte) {
                    sets.shift(byte)
                } else {
                    putEscape(byte)
                }
            default:
                let length = UTF8Shape.characterLength(in: bytes, at: offset)
                put(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                offset += length
                continue
            }
            offset += 1
        }
    }

    /// Whether the CR at `offset` goes to the beginning of the row below, where the line goes on: line editors print a
    /// blank behind a row that is full, so that the terminal wraps, and CR. Consoles have 80 columns.
    private func isWrap(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard column > Self.consoleWidth, column % Self.consoleWidth == 1, cells.count == column, !row.isAway,
            offset + 1 < bytes.count, bytes[offset - 1] == UInt8(ascii: " ")
        else {
            return false
        }
        return bytes[offset + 1] >= 0x20 && bytes[offset + 1] != Byte.delete
    }

    /// Appends the row, without blanks at its end that nothing has painted, and then what was painted in other rows, if the
    /// cursor has not returned from there.
    func append(to out: inout [UInt8]) {
        let count = (cells.lastIndex { $0 != .empty } ?? -1) + 1
        var current = 0
        for cell in cells[..<count] {
            if color, cell.style != current {
                if current != 0 {
                    out.append(contentsOf: DisplayedLine.reset)
                }
                out.append(contentsOf: styles[cell.style])
                current = cell.style
            }
            if cell.text.isEmpty {
                if cell.half != .right {
                    out.append(UInt8(ascii: " "))
                }
            } else {
                out.append(contentsOf: characters[cell.text])
            }
        }
        if color, current != 0 {
            out.append(contentsOf: DisplayedLine.reset)
        }
        guard let first = elsewhere.firstIndex(where: isVisible) else {
            return
        }
        out.append(UInt8(ascii: " "))
        for text in elsewhere[first...] {
            out.append(contentsOf: characters[text])
        }
    }

    // MARK: - Characters

    private mutating func put(_ text: UnsafeRawBufferPointer) {
        let start = characters.count
        if sets.drawsLines, text.count == 1, let line = LineDrawing.character(for: text[0]) {
            characters.append(contentsOf: line.utf8)
        } else {
            characters.append(contentsOf: text)
        }
        if column > 0, UTF8Shape.isCombining(text), column <= cells.count, !row.isAway {
            let index = cells[column - 1].half == .right ? column - 2 : column - 1
            let before = cells[index].text
            if before.upperBound == start, !before.isEmpty, before.count < Self.longestCell {
                cells[index].text = before.lowerBound..<characters.count
                return
            }
        }
        put(start..<characters.count, isWide: DisplayWidth.isWide(text))
    }

    private mutating func putEscape(_ byte: UInt8) {
        let start = characters.count
        EscapedText.append(byte: byte, to: &characters)
        put(start..<characters.count)
    }

    mutating func put(_ text: Range<Int>, isWide: Bool = false) {
        if isVisible(text) {
            row.paint()
        }
        let width = isWide ? 2 : 1
        guard !row.isAway else {
            elsewhere.append(text)
            column += width
            return
        }
        if insertsCharacters {
            apply(.insert(width))
        }
        reach(column + width - 1)
        var cell = Cell(text: text, style: style, half: isWide ? .left : .none)
        var painted = isOverwritten(cells[column], by: text) ? 1 : 0
        if isWide, isOverwritten(cells[column + 1], by: text) {
            painted += 1
        }
        overwritten += painted
        if !isVisible(cell), painted > 0 || (style == 0 && (column == 0 || cells[column - 1] == .empty)) {
            // Erased by a blank, or one of the blanks that erase more than was there.
            cell = .empty
        }
        cells[column] = cell
        if isWide {
            cells[column + 1] = Cell(text: text.upperBound..<text.upperBound, style: style, half: .right)
        }
        repairHalves(at: column)
        repairHalves(at: column + width)
        column += width
    }

    private func isOverwritten(_ cell: Cell, by text: Range<Int>) -> Bool {
        isVisible(cell) && !characters[cell.text].elementsEqual(characters[text])
    }

    /// Blanks the half of a wide character whose other half, on the other side of `index`, is gone.
    mutating func repairHalves(at index: Int) {
        if index < cells.count, cells[index].half == .right, index == 0 || cells[index - 1].half != .left {
            cells[index] = .empty
        }
        if index > 0, index <= cells.count, cells[index - 1].half == .left,
            index == cells.count || cells[index].half != .right
        {
            overwritten += 1
            cells[index - 1] = .empty
        }
    }

    func isVisible(_ cell: Cell) -> Bool {
        isVisible(cell.text)
    }

    private func isVisible(_ text: Range<Int>) -> Bool {
        characters[text].contains { $0 != UInt8(ascii: " ") }
    }

    /// Makes the row long enough for the cell at `column`.
    private mutating func reach(_ column: Int) {
        while cells.count <= column {
            cells.append(.empty)
        }
    }

    // MARK: - The cursor

    private mutating func move(to wanted: Int) {
        column = min(max(0, wanted), max(Self.widest, cells.count))
    }

    private mutating func moveToTabStop() {
        move(to: (column / 8 + 1) * 8)
    }

    /// Follows the cursor to another row, and back. What was painted in the row it leaves belongs to no line unless it is
    /// visible; what was painted elsewhere in between is not shown.
    private mutating func follow(_ effect: ControlSequence.Effect) {
        if row.follow(effect), mayTouch(cells.count), !cells.contains(where: isVisible) {
            cells.removeAll()
        }
        if !row.isAway {
            overwritten += elsewhere.count(where: isVisible)
            elsewhere.removeAll()
        }
    }

    private mutating func apply(_ effect: ControlSequence.Effect, _ bytes: UnsafeRawBufferPointer) {
        switch effect {
        case .none:
            break
        case .style:
            setStyle(bytes)
        case .characterSet:
            sets.follow(effect)
        case .column(let motion):
            switch motion {
            case .absolute(let column): move(to: column - 1)
            case .forward(let count): move(to: column + count)
            case .back(let count): move(to: column - count)
            case .tabsForward(let count): (0..<min(count, Self.widest)).forEach { _ in moveToTabStop() }
            case .tabsBack(let count): move(to: (column + 7) / 8 * 8 - 8 * count)
            }
        case .position(_, let wanted):
            follow(effect)
            if let wanted {
                move(to: wanted - 1)
            }
        case .leavesRow, .clearsScreen, .resetsTerminal:
            follow(effect)
            sets.follow(effect)
        case .saveCursor:
            follow(effect)
            savedColumn = column
        case .restoreCursor:
            follow(effect)
            column = savedColumn
        case .insertMode(let isOn):
            insertsCharacters = isOn
        case .edit(let edit):
            if !row.isAway {
                apply(edit)
            }
        }
    }

    /// The cursor returns to the row's beginning from the next line, which begins with the usual character sets; false when
    /// it was in another row.
    mutating func returnFromNextLine() -> Bool {
        guard !row.isAway else {
            return false
        }
        (column, sets, insertsCharacters) = (0, CharacterSets(), false)
        return true
    }

    // MARK: - Styles

    private mutating func setStyle(_ sequence: UnsafeRawBufferPointer) {
        guard color, DisplayedLine.isColor(sequence) else {
            return
        }
        let parameters = sequence.dropFirst(2).dropLast()
        if parameters.allSatisfy({ $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ";") }) {
            style = 0
            return
        }
        let isNew = parameters.starts(with: "0;".utf8) || styles[style].count + sequence.count > Self.longestStyle
        let wanted = (isNew ? [] : styles[style]) + sequence
        // A guest that changes its colour at each character has few colours in the end.
        if let known = styles.suffix(16).firstIndex(of: wanted) {
            style = known
        } else {
            styles.append(wanted)
            style = styles.count - 1
        }
    }
}
