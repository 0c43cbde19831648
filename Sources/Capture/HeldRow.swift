// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// A row that a pause divides within what may be a banner. The next text tells whether the row goes on after the pause, or
/// another begins there.
struct HeldRow {
    /// The bytes before the pause, and when they were received.
    var length: Int
    var time: Int64

    enum Continuation {
        case sameRow, newRow
        /// The bytes so far may still become a banner.
        case unknown
    }

    /// What `text` is to the row that begins with `head`.
    func continuation(of head: [UInt8], by text: UnsafeRawBufferPointer) -> Continuation {
        let feed = Lines.firstFeed(in: text, from: 0)
        let line = head + text[..<(feed ?? text.count)].prefix(max(0, BootBanner.lookAhead - head.count))
        return line.withUnsafeBytes { line in
            var rows = DisplayedRows(of: line, isWhole: feed != nil)
            let end = rows.next(after: 0)
            guard end ?? line.count > length else {
                return .newRow
            }
            let row = UnsafeRawBufferPointer(rebasing: line[..<(end ?? line.count)])
            let known = BootLine(row)
            if known.banner != nil || known.start >= length {
                return .sameRow
            }
            return feed == nil && end == nil && BootLine.endsWithinBanner(row) ? .unknown : .newRow
        }
    }
}
