// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// A stream to be read, with its range and filter.
struct StreamOpening {
    let found: StreamScope.Found
    let reader: StreamReader
    /// Reads what is around a match, while `reader` searches on; the same where no context is requested.
    let contextReader: StreamReader
    let properties: StreamProperties
    let plan: BlockPlan
    let filter: LineFilter
    let charset: Charset?
    var start: Cursor
    /// The first position of the range; `start` is moved beyond it where only the last lines are requested.
    let floor: Cursor
    let bound: Cursor?
    let isFollowing: Bool
    private let context: ContextSize

    init(_ found: StreamScope.Found, isMerged: Bool, _ query: EntrySource) throws {
        self.found = found
        var filter = query.filter
        let resumed = query.resumed.positions[found.stream] ?? .start
        var start = query.store.start(of: found.stream, after: resumed)
        var bound: Cursor?
        if let window = query.windows[found.stream.vm] {
            if window.stream == found.stream {
                start = max(start, window.start)
                bound = window.bound
            } else {
                filter = filter.narrowed(since: window.since, until: window.until)
            }
        }
        charset = query.selection.charsets.charset(of: query.vms[found.vm].identity)
        self.start = start
        floor = start
        self.bound = bound
        self.filter = filter
        context = query.selection.context
        isFollowing = query.isFollowing
        reader = query.store.reader(of: found.stream, group: query.readers)
        contextReader =
            context.isEmpty ? reader : query.store.reader(of: found.stream, group: query.contextReaders)
        properties = query.store.properties(of: found.stream)
        plan = try BlockPlan(reader, clock: properties.clock, since: filter.since, needsAll: isMerged)
    }

    func makeSource() throws -> any StreamEntries {
        context.isEmpty ? try makeLineSource() : try ContextSource(self, context)
    }

    /// The selected lines.
    func makeLineSource() throws -> LineSource {
        try LineSource(
            reader,
            properties,
            plan: plan,
            filter: filter,
            charset: charset,
            from: start,
            to: bound,
            isFollowing: isFollowing
        )
    }

    /// All lines of the selected time from `position` on, where a line begins.
    func makeContextSource(from position: Cursor) throws -> LineSource {
        try LineSource(
            contextReader,
            properties,
            plan: plan,
            filter: filter.withoutContents,
            charset: charset,
            from: position,
            to: bound,
            isFollowing: isFollowing
        )
    }

    /// All lines that begin in `range`, at whose beginning a line begins.
    func makeContextSource(in range: Range<UInt64>) throws -> LineSource {
        try LineSource(
            contextReader,
            properties,
            plan: plan,
            filter: filter.withoutContents.withoutTimes,
            charset: charset,
            from: Cursor(offset: range.lowerBound),
            to: bound,
            isResumable: false,
            before: range.upperBound
        )
    }

    /// Moves the starts so that only the last `count` lines of all streams together are left.
    static func keepTail(_ count: Int, of openings: inout [StreamOpening]) throws {
        var tails: [ArraySlice<TailFinder.LineStart>] = []
        for opening in openings {
            let finder = TailFinder(
                reader: opening.reader,
                properties: opening.properties,
                plan: opening.plan,
                filter: opening.filter,
                charset: opening.charset,
                start: opening.start,
                bound: opening.bound
            )
            // Stream by stream, so that at most twice `count` are held.
            tails.append(try finder.last(count + 1)[...])
            Self.cut(&tails, to: count + 1)
        }
        // If that is everything, events before the first line belong to it.
        guard tails.reduce(0, { $0 + $1.count }) > count || count == 0 else {
            return
        }
        Self.cut(&tails, to: count)
        for (index, tail) in tails.enumerated() {
            openings[index].start = try tail.first?.start ?? openings[index].reader.end()
        }
    }

    /// Removes the lines that come first in the merged order until only `count` remain.
    private static func cut(_ tails: inout [ArraySlice<TailFinder.LineStart>], to count: Int) {
        var excess = tails.reduce(0) { $0 + $1.count } - count
        while excess > 0 {
            let input = tails.indices.filter { !tails[$0].isEmpty }
                .min { (tails[$0].first!.latest, $0) < (tails[$1].first!.latest, $1) }
            guard let input else {
                break
            }
            tails[input].removeFirst()
            excess -= 1
        }
    }
}
