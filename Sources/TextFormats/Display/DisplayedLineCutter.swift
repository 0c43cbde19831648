// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Cuts a console's text into displayed lines: what stood in one row of the terminal.
///
/// LF ends a line, and so does what `RowScanner` finds: a kernel time stamp in mid-line, the cursor's way to another
/// row. A CR does not: what is painted after it belongs to the same line, which is then as old as its last painting.
public struct DisplayedLineCutter {
    private var plain = PlainLines()

    /// A line in a text.
    public struct Cut: Equatable, Sendable {
        /// The offset after its last byte.
        public var end: Int
        /// The offset where its last painting begins: after the last CR that returned over text, else its beginning.
        public var painted: Int
        /// Whether a terminal shows it as it is stored.
        public var isPlain: Bool
        /// Whether the row ends with it; otherwise it was divided because of its length.
        public var endsRow = true
        /// How it changes the character sets that the next line begins with; nil when that begins with the usual ones.
        public var carriedSets: CharacterSets?
    }

    /// A cutter for one text.
    public init() {}

    /// The line that begins at `start`, of which the bytes before `stop` count; nil when it may continue there. Must be
    /// called in order, always with the same text.
    ///
    /// A line longer than `limit` bytes, its LF not counted, is divided there, or where the text ends that is painted
    /// over before.
    public mutating func line(at start: Int, in text: UnsafeRawBufferPointer, to stop: Int, limit: Int) -> Cut? {
        let window = UnsafeRawBufferPointer(rebasing: text[start..<stop].prefix(limit + 1))
        let feed = Lines.firstFeed(in: window).map { start + $0 + 1 }
        if plain.isPlain(start..<(feed ?? start + window.count), in: text) {
            if let feed {
                return Cut(end: feed, painted: start, isPlain: true)
            }
            return window.count > limit ? Cut(end: start + limit, painted: start, isPlain: true, endsRow: false) : nil
        }
        var scanner = RowScanner()
        let line = UnsafeRawBufferPointer(rebasing: text[start..<(feed ?? start + window.count)])
        return scanner.cut(line, limit: limit).map {
            Cut(
                end: start + $0.end,
                painted: start + $0.painted,
                isPlain: false,
                endsRow: $0.endsRow,
                carriedSets: $0.carriedSets
            )
        }
    }

    /// The same for a stream of records, in which LF alone ends a line.
    public func record(at start: Int, in text: UnsafeRawBufferPointer, to stop: Int, limit: Int) -> Cut? {
        let window = UnsafeRawBufferPointer(rebasing: text[start..<stop].prefix(limit + 1))
        if let feed = Lines.firstFeed(in: window) {
            return Cut(end: start + feed + 1, painted: start, isPlain: true)
        }
        return window.count > limit ? Cut(end: start + limit, painted: start, isPlain: true, endsRow: false) : nil
    }

    /// The first offset at or after `start` of a byte for which a terminal does not show the text as it is stored; the
    /// end of the text when there is none.
    public mutating func nextControl(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        plain.nextControl(in: text, from: start)
    }
}

/// The rows of one line, which has no LF, found in order.
public struct DisplayedRows {
    private let text: UnsafeRawBufferPointer
    private let isWhole: Bool
    private var plain = PlainLines()

    /// The rows of `line`; `isWhole` tells whether the line ends with these bytes.
    public init(of line: UnsafeRawBufferPointer, isWhole: Bool = true) {
        // The CRs of the line's end move nothing.
        var end = line.count
        while end > 0, line[end - 1] == Byte.carriageReturn {
            end -= 1
        }
        text = UnsafeRawBufferPointer(rebasing: line[..<end])
        self.isWhole = isWhole
    }

    /// Where the row after the one that begins at `start` begins; nil when all of the rest is in that row as far as it is
    /// known. `followsText` tells whether something visible precedes `start` in the row.
    public mutating func next(after start: Int, followsText: Bool = false) -> Int? {
        guard start < text.count,
            !plain.isPlain(start..<text.count, in: text) || followsText && plain.hasStamp(at: start, in: text)
        else {
            return nil
        }
        var scanner = RowScanner(followsText: followsText)
        let rest = UnsafeRawBufferPointer(rebasing: text[start...])
        let next = scanner.end(in: rest) ?? (isWhole ? scanner.openDeparture : nil)
        return next.map { start + $0 }
    }

    /// Where the last row of `line` begins.
    static func lastRow(of line: UnsafeRawBufferPointer, isWhole: Bool) -> Int {
        var rows = DisplayedRows(of: line, isWhole: isWhole)
        var start = 0
        while let next = rows.next(after: start), next < line.count {
            start = next
        }
        return start
    }
}

/// Cuts a text that grows.
public struct GrowingLineCutter: Sendable {
    private var scanner = RowScanner()

    /// A cutter at the beginning of a line.
    public init() {}

    /// The line at the beginning of `text`, which has grown at its end since the last call; nil when the line may
    /// continue after it. Afterwards another begins.
    public mutating func firstLine(of text: UnsafeRawBufferPointer, limit: Int) -> DisplayedLineCutter.Cut? {
        guard let cut = scanner.cut(text, limit: limit) else {
            return nil
        }
        scanner = RowScanner()
        return cut
    }

    /// Where the last painting begins, as far as the line is known.
    public var painted: Int { scanner.repaint }
}

extension RowScanner {
    fileprivate mutating func cut(_ text: UnsafeRawBufferPointer, limit: Int) -> DisplayedLineCutter.Cut? {
        let window = UnsafeRawBufferPointer(rebasing: text.prefix(limit + 1))
        if let end = end(in: window) {
            return row(to: end)
        }
        guard text.count > limit else {
            return nil
        }
        if let end = openDeparture {
            return row(to: end)
        }
        let endsRow = repaint > 0
        return DisplayedLineCutter.Cut(
            end: endsRow ? repaintedEnd : limit,
            painted: 0,
            isPlain: false,
            endsRow: endsRow
        )
    }
    private func row(to end: Int) -> DisplayedLineCutter.Cut {
        DisplayedLineCutter.Cut(end: end, painted: repaint, isPlain: false, carriedSets: carriedSets(to: end))
    }
}
