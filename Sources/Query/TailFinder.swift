// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// Finds the beginnings of the last lines of a stream, backwards from its end, reading as little as possible.
struct TailFinder {
    let reader: StreamReader
    let properties: StreamProperties
    let plan: BlockPlan
    let filter: LineFilter
    let charset: Charset?
    /// The limits of the search.
    let start: Cursor
    let bound: Cursor?

    /// The beginning of a line, and the stream's running maximum of time there.
    struct LineStart {
        var start: Cursor
        var latest: Timestamp
    }

    /// Number of blocks searched at once when the number of matches is unknown.
    private static let largestStep = 64

    /// The last `count` selected lines, or all when there are fewer, in order.
    func last(_ count: Int) throws -> [LineStart] {
        var found: [LineStart] = []
        let lowest = start.offset == 0 ? 0 : plan.firstIndex(endingAfter: start.offset - 1)
        var upper = plan.blocks.count
        var step = 1
        while upper > lowest, found.count < count {
            var lower = upper
            if filter.filtersByText {
                lower = max(lowest, upper - step)
                step = min(2 * step, Self.largestStep)
            } else {
                // There are at least as many lines as line feeds; cut lines add to them.
                var feeds = 0
                while lower > lowest, feeds <= count - found.count {
                    lower -= 1
                    feeds += filter.overlaps(plan.times(at: lower)) ? plan.blocks[lower].lines : 0
                }
            }
            let from = lower == lowest ? start : Cursor(offset: plan.blocks[lower].offset)
            let limit = upper < plan.blocks.count ? plan.blocks[upper].offset : .max
            found = try lines(from: from, before: limit, isExact: lower == lowest, last: count - found.count) + found
            upper = lower
        }
        return found
    }

    /// The last `count` selected lines that begin in the range.
    private func lines(from: Cursor, before limit: UInt64, isExact: Bool, last count: Int) throws -> [LineStart] {
        let source = try LineSource(
            reader,
            properties,
            plan: plan,
            filter: filter,
            charset: charset,
            from: from,
            to: bound,
            isResumable: false,
            isLeap: !isExact,
            floor: start.offset,
            before: limit
        )
        var starts: [LineStart] = []
        while let entry = try source.next() {
            guard case .line(let line) = entry else {
                continue
            }
            starts.append(LineStart(start: line.start, latest: source.runningMaximum))
            if starts.count - count >= max(count, 1024) {
                starts.removeFirst(starts.count - count)
            }
        }
        return Array(starts.suffix(count))
    }
}
