// SPDX-License-Identifier: Apache-2.0

import Query

/// Pages through a range of time, forward or backward: which request is next, and which records of an answer are complete.
///
/// An engine returns at most as many records as asked for, and cuts between records of one time. So the next request begins
/// at the time of the last record, and its records are taken from there. Has no I/O.
struct FleetPages {
    /// All records of a page have one time, and the engine returns no more at once: those of thousands of streams, as a
    /// stream has few records of one time (`RisingTime`).
    struct PageLimitReached: Error {
        let nanoseconds: Int64
    }

    /// What was not read, in nanoseconds.
    private(set) var rest: Range<Int64>
    let isBackward: Bool
    private let limits: FleetLimits
    private var limit: Int

    init(_ range: Range<Int64>, isBackward: Bool = false, _ limits: FleetLimits) {
        rest = range
        self.isBackward = isBackward
        self.limits = limits
        limit = limits.page
    }

    var isDone: Bool { rest.isEmpty }

    /// The range and the limit of the next request.
    var next: (range: Range<Int64>, limit: Int) {
        let span = min(limits.longestRange, rest.upperBound.subtractingReportingOverflow(rest.lowerBound).partialValue)
        let range =
            isBackward ? rest.upperBound - span..<rest.upperBound : rest.lowerBound..<rest.lowerBound + span
        return (range, limit)
    }

    /// Accepts the answer to the next request; returns the records that are complete: no other has such a time.
    mutating func accept(_ page: FleetPage) throws(PageLimitReached) -> [FleetRecord] {
        let range = next.range
        let found = page.records.filter { range.contains($0.nanoseconds) }
        let times = page.times.filter(range.contains)
        guard page.times.count >= limit, let last = isBackward ? times.min() : times.max() else {
            rest = isBackward ? rest.lowerBound..<range.lowerBound : range.upperBound..<rest.upperBound
            limit = limits.page
            return found
        }
        // There may be more entries of its time.
        let isComplete = { [isBackward] (time: Int64) in isBackward ? time > last : time < last }
        guard !times.contains(where: isComplete) else {
            rest = isBackward ? rest.lowerBound..<last + 1 : last..<rest.upperBound
            limit = limits.page
            return found.filter { isComplete($0.nanoseconds) }
        }
        guard limit < limits.largestPage else {
            throw PageLimitReached(nanoseconds: last)
        }
        limit = min(limit * 2, limits.largestPage)
        return []
    }
}
