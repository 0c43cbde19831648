// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// A line that began in one batch and continues in later ones, and the lines that turn out to follow it.
struct TornLine: ~Copyable {
    private var buffer = LineBuffer()
    private var cutter = GrowingLineCutter()
    /// The beginnings of the records in the buffer, and of the line itself, in order.
    private var heads: [LineHead] = []
    private let isConsole: Bool
    private let limit: Int

    /// Lines of a console are cut as they are displayed, others at LF; both after `limit` bytes.
    init(isConsole: Bool, limit: Int) {
        self.isConsole = isConsole
        self.limit = limit
    }

    var isEmpty: Bool { buffer.isEmpty }
    /// The number of bytes that may still be appended before the line has to be cut.
    var capacity: Int { limit + 1 - buffer.count }
    /// Where it begins; only when it is not empty.
    var start: Cursor { heads[0].start }

    /// The line as far as it can be shown, valid until the next change; nil when there is nothing to show. An escape
    /// sequence of which half was received is not a part of it.
    var shown: Line? {
        let count = shownCount
        return count > 0 ? line(to: count, painted: min(painted, count)) : nil
    }

    private var painted: Int { isConsole ? cutter.painted : 0 }

    private var shownCount: Int {
        buffer.count - (isConsole ? DisplayedLine.unfinishedSequence(atEndOf: buffer.bytes) : 0)
    }

    /// Adds bytes; `found` are the heads of the records that begin in them, and of the first byte when it is the line's.
    mutating func append(_ bytes: UnsafeRawBufferPointer, _ found: [LineHead]) {
        heads += found
        buffer.append(bytes)
    }

    /// The next line that is complete; nil when the rest may continue. The bytes of the line before become invalid.
    mutating func next() -> Line? {
        if isConsole {
            guard let cut = cutter.firstLine(of: buffer.bytes, limit: limit) else {
                return nil
            }
            var line = removeLine(cut.end, painted: cut.painted, endsRow: cut.endsRow)
            line.carriedSets = cut.carriedSets
            return line
        }
        let window = UnsafeRawBufferPointer(rebasing: buffer.bytes.prefix(limit + 1))
        if let feed = Lines.firstFeed(in: window) {
            return removeLine(feed + 1, painted: 0, endsRow: true)
        }
        return buffer.count > limit ? removeLine(limit, painted: 0, endsRow: false) : nil
    }

    /// All that is left, as a line. Its bytes are valid until the next change.
    mutating func takeRest() -> Line { takeUnfinished(buffer.count) }

    /// What `shown` is; the rest goes on as a line of its own. Its bytes are valid until the next change.
    mutating func takeShown() -> Line { takeUnfinished(shownCount) }

    private mutating func takeUnfinished(_ count: Int) -> Line {
        let painted = min(painted, count)
        cutter = GrowingLineCutter()
        return removeLine(count, painted: painted, endsRow: false)
    }

    private mutating func removeLine(_ count: Int, painted: Int, endsRow: Bool) -> Line {
        var line = line(to: count, painted: painted)
        line.isCut = endsRow
        buffer.removeFirst(count)
        if let last = heads.lastIndex(where: { $0.start.offset <= line.end }) {
            var next = heads[last]
            if next.start.offset < line.end {
                next.start = Cursor(offset: line.end)
            }
            heads.replaceSubrange(...last, with: buffer.isEmpty ? [] : [next])
        }
        return line
    }

    private func line(to count: Int, painted: Int) -> Line {
        let position = heads[0].start.offset + UInt64(painted)
        let head = heads.last { $0.start.offset <= position } ?? heads[0]
        return Line(
            start: heads[0].start,
            time: head.time,
            latest: head.latest,
            bytes: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]),
            isRecovered: heads[0].isRecovered
        )
    }
}
