// SPDX-License-Identifier: Apache-2.0

// Characters of the row that are erased, deleted, inserted and repeated.
extension RowPainter {
    mutating func apply(_ edit: ControlSequence.Edit) {
        switch edit {
        case .eraseToEnd: erase(column..<max(column, cells.count))
        case .eraseToStart: erase(0..<column + 1)
        case .eraseAll: erase(0..<cells.count)
        case .erase(let count): erase(column..<column + count)
        case .delete(let count):
            let end = min(cells.count, column + count)
            if column < end, mayTouch(cells.count - column) {
                overwritten += cells[column..<end].count(where: isVisible)
                cells.removeSubrange(column..<end)
                repairHalves(at: column)
            }
        case .insert(let count):
            let width = max(Self.widest, cells.count)
            let inserted = min(count, Self.widest)
            if column < cells.count, mayTouch(width - column) {
                cells.insert(contentsOf: repeatElement(.empty, count: inserted), at: column)
                // What leaves the row at its right margin is gone.
                overwritten += cells[min(width, cells.count)...].count(where: isVisible)
                cells.removeSubrange(min(width, cells.count)...)
                [column, column + inserted, cells.count].forEach { repairHalves(at: $0) }
            }
        case .repeatLast(let count):
            guard column > 0, column <= cells.count else {
                return
            }
            let isWide = cells[column - 1].half == .right
            let text = cells[isWide ? column - 2 : column - 1].text
            let repeated = min(count, max(Self.widest, cells.count) - column)
            if !text.isEmpty, mayTouch(repeated) {
                (0..<repeated).forEach { _ in put(text, isWide: isWide) }
            }
        }
    }

    /// Counts the cells that an edit touches; false when they are too many.
    mutating func mayTouch(_ count: Int) -> Bool {
        guard count <= workLeft else {
            return false
        }
        workLeft -= count
        return true
    }

    mutating func erase(_ range: Range<Int>) {
        let range = range.clamped(to: 0..<cells.count)
        guard mayTouch(range.count) else {
            return
        }
        overwritten += cells[range].count(where: isVisible)
        for index in range {
            cells[index] = .empty
        }
        repairHalves(at: range.lowerBound)
        repairHalves(at: range.upperBound)
    }
}
