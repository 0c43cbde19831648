// SPDX-License-Identifier: Apache-2.0

/// The row of the screen that the cursor is in, compared with the row of the line that is read.
///
/// Rows are known as far as the guest names them: the row where the line began, one that a sequence has named, or another
/// one after each move that names none. A saved cursor is known within its line; a cursor that was saved before it is in
/// another row when it is restored.
struct CursorRow: Sendable {
    private enum Row: Hashable {
        case first
        case named(Int)
        case other(Int)
    }

    private var current = Row.first
    /// Where the line's first visible text is.
    private var home: Row?
    private var saved: Row?
    private var moves = 0

    /// Whether the line has visible text.
    var hasText: Bool { home != nil }

    /// Whether the cursor is in another row than the line's visible text.
    var isAway: Bool { home.map { $0 != current } ?? false }

    /// Whether restoring the cursor would return it to the line.
    var mayReturn: Bool { saved.map { $0 == home } ?? false }

    /// Visible text is painted; the first is where the line is.
    mutating func paint() {
        home = home ?? current
    }

    /// Follows a sequence; whether the cursor is in another row then.
    @discardableResult
    mutating func follow(_ effect: ControlSequence.Effect) -> Bool {
        let before = current
        switch effect {
        case .position(let row, _): current = .named(row)
        case .leavesRow: leave()
        case .clearsScreen, .resetsTerminal:
            saved = nil
            leave()
        case .saveCursor: saved = current
        case .restoreCursor:
            if let saved {
                current = saved
            } else {
                leave()
            }
        case .none, .style, .characterSet, .column, .edit, .insertMode: break
        }
        return current != before
    }

    private mutating func leave() {
        moves += 1
        current = .other(moves)
    }
}
