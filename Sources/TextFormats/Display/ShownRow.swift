// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A row of a console of which a part is on a reader's screen already, as the beginning of a line.
///
/// What follows in the row is appended to that line only if the row then shows both, one after the other: text that is
/// painted over what is shown, or that begins another row, begins a new line.
public struct ShownRow: Sendable {
    /// The row's bytes so far.
    public private(set) var bytes: [UInt8]
    private let sets: CharacterSets

    /// What to do with the bytes that follow.
    public enum Next: Equatable, Sendable {
        /// What they paint is appended to the line.
        case appended
        /// A new line shows `bytes`, which begin with the row's beginning or with that of a row after it.
        case restarted
    }

    /// A row whose bytes so far are `bytes`. `sets` are the character sets at its beginning.
    public init(_ bytes: UnsafeRawBufferPointer, sets: CharacterSets = CharacterSets()) {
        self.bytes = Array(bytes)
        self.sets = sets
    }

    /// Adds what follows, without the line's end. `sets` are the character sets at its beginning; `isWhole` tells whether
    /// the line ends with it.
    public mutating func add(_ piece: UnsafeRawBufferPointer, sets pieceSets: CharacterSets, isWhole: Bool) -> Next {
        let shown = bytes.withUnsafeBytes { Self.text($0, sets) }
        bytes.append(contentsOf: piece)
        let start = bytes.withUnsafeBytes { DisplayedRows.lastRow(of: $0, isWhole: isWhole) }
        guard start == 0 else {
            bytes.removeFirst(start)
            return .restarted
        }
        let whole = bytes.withUnsafeBytes { Self.text($0, sets) }
        return whole == shown + Self.text(piece, pieceSets) ? .appended : .restarted
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ sets: CharacterSets) -> [UInt8] {
        var text: [UInt8] = []
        DisplayedLine.append(bytes, sets: sets, color: false, to: &text)
        return text
    }
}
