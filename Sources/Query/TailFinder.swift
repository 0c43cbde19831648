import LogModel
import LogStore

/// Finds where the last lines of a stream begin, from its end backwards, reading no more than it must.
struct TailFinder {
    let reader: StreamReader
    let properties: StreamProperties
    let plan: BlockPlan
    let filter: LineFilter
    /// Nothing before or beyond is looked at.
    let start: Cursor
    let bound: Cursor?

    /// A line: where it begins, and the stream's running maximum of time there.
    struct LineStart {
        var start: Cursor
        var latest: Timestamp
    }

    /// Blocks looked through at once when nothing tells how many lines are wanted of them.
    private static let largestStep = 64

    /// The last `count` lines that the filter wants, or all when there are fewer, in order.
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
                // Line feeds are lines at least; where lines are cut there are more.
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

    /// The last `count` wanted lines that begin in the given stretch.
    private func lines(from: Cursor, before limit: UInt64, isExact: Bool, last count: Int) throws -> [LineStart] {
        let source = try LineSource(
            reader,
            properties,
            plan: plan,
            filter: filter,
            from: from,
            to: bound,
            isResumable: false,
            isLeap: !isExact,
            floor: start.offset,
            before: limit
        )
        var places: [LineStart] = []
        while let entry = try source.next() {
            guard case .line(let line) = entry else {
                continue
            }
            places.append(LineStart(start: line.start, latest: source.runningMaximum))
            if places.count - count >= max(count, 1024) {
                places.removeFirst(places.count - count)
            }
        }
        return Array(places.suffix(count))
    }
}
