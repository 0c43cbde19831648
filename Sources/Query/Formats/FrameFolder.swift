// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Folds the frames of a screen that a guest paints again and again, such as a menu with a countdown or a monitor: of
/// frames that are equal but for a few cells the last stays.
///
/// A frame is made of rows that the guest has named, from the top down, or of a line and what is painted in its place.
/// Only frames in one piece of output are folded: what a follower was shown stays.
struct FrameFolder {
    private struct Frame {
        /// Where it begins in the output.
        var start: Int
        var rows: [(row: DisplayedLine.Row, text: [UInt8])] = []
        /// The number of earlier frames that it stands for.
        var folded = 0
        let input: Int
    }

    private var previous: Frame?
    private var current: Frame?

    /// Cells that may differ in a row, at least; in a long row a quarter of them.
    private static let fewCells = 16
    /// More rows than any screen.
    private static let mostRows = 200

    /// Ends the frame before a line of the stream `input` that is painted in `row`, if that begins another, and removes
    /// from `out` the frames before it that it replaces; their number.
    mutating func endFrame(before row: DisplayedLine.Row, input: Int, in out: inout [UInt8]) -> Int {
        guard let frame = current, !continues(frame, row, input) else {
            return 0
        }
        let folded = complete(frame, in: &out)
        if row == .unknown || frame.input != input {
            previous = nil
        }
        return folded
    }

    /// Begins a frame at `start` of the output unless one continues.
    mutating func beginLine(input: Int, at start: Int) {
        current = current ?? Frame(start: start, input: input)
    }

    /// Adds a line to the frame.
    mutating func add(_ row: DisplayedLine.Row, _ text: UnsafeRawBufferPointer) {
        current?.rows.append((row == .above ? .unknown : row, Array(text)))
    }

    /// Ends the last frame of a piece of output, which is not folded when its last line is unfinished; the number of frames
    /// that it replaces.
    mutating func end(in out: inout [UInt8], isUnfinished: Bool) -> Int {
        defer {
            previous = nil
            current = nil
        }
        return isUnfinished ? 0 : current.map { complete($0, in: &out) } ?? 0
    }

    private func continues(_ frame: Frame, _ row: DisplayedLine.Row, _ input: Int) -> Bool {
        guard case .named(let number) = row, case .named(let last)? = frame.rows.last?.row else {
            return false
        }
        return frame.input == input && last < number && frame.rows.count < Self.mostRows
    }

    private mutating func complete(_ ended: Frame, in out: inout [UInt8]) -> Int {
        var frame = ended
        if let previous, Self.areAlike(previous, frame) {
            out.removeSubrange(previous.start..<frame.start)
            frame.start = previous.start
            frame.folded = previous.folded + 1
        }
        previous = frame
        current = nil
        return frame.folded
    }

    private static func areAlike(_ one: Frame, _ other: Frame) -> Bool {
        one.rows.count == other.rows.count
            && zip(one.rows, other.rows).allSatisfy { $0.row == $1.row && areAlike($0.text, $1.text) }
    }

    private static func areAlike(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        let longer = max(one.count, other.count)
        let different = zip(one, other).count { $0 != $1 } + longer - min(one.count, other.count)
        return different <= max(min(fewCells, longer / 2), longer / 4)
    }
}
