// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Rows of cells in columns as wide as their widest cell on a terminal.
enum Table {
    /// Columns up to the width of a time are never cut: a part of a time or of a size would mislead.
    private static let uncut = "2026-11-20 17:00:05Z".utf8.count
    /// Others are not made narrower than this.
    private static let narrowest = 8
    private static let gap = "  "

    /// The rows as lines; the last cell of each is not padded. With `width`, the columns of a terminal, the widest
    /// columns are cut so that no line wraps, unless there are too many.
    static func text(_ rows: [[String]], width: Int? = nil) -> String {
        let count = rows.map(\.count).max() ?? 0
        var widths = (0..<count).map { column in
            rows.map { $0.count > column ? DisplayWidth.of($0[column]) : 0 }.max() ?? 0
        }
        if let width {
            fit(&widths, into: width - gap.utf8.count * (count - 1))
        }
        return rows.map { line($0, widths, isCut: width != nil) + "\n" }.joined()
    }

    /// Makes the widest of `widths` smaller until all are `columns` together, or none can be made smaller.
    private static func fit(_ widths: inout [Int], into columns: Int) {
        let cut = widths.indices.filter { widths[$0] > uncut }
        var excess = widths.reduce(0, +) - columns
        while excess > 0, let widest = cut.max(by: { widths[$0] < widths[$1] }), widths[widest] > narrowest {
            // Down to the next smaller one, so that equally wide ones share the loss.
            let next = cut.map { widths[$0] }.filter { $0 < widths[widest] }.max() ?? 0
            let loss = max(min(excess, widths[widest] - max(next, narrowest)), 1)
            widths[widest] -= loss
            excess -= loss
        }
    }

    private static func line(_ row: [String], _ widths: [Int], isCut: Bool) -> String {
        row.enumerated().map { column, cell in
            let cell = isCut ? DisplayWidth.truncate(cell, to: widths[column]) : cell
            let padding = column == row.count - 1 ? 0 : widths[column] - DisplayWidth.of(cell)
            return cell + String(repeating: " ", count: padding)
        }.joined(separator: gap)
    }
}
