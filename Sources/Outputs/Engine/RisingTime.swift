// SPDX-License-Identifier: Apache-2.0

/// Gives the records of a stream times of their own, in nanoseconds: engines order equal times as they like, and drop
/// equal texts of equal times.
///
/// The store's times are microseconds; within one, records get its nanoseconds one after the other, and after the last
/// those of the next. When the clock was set back by more than a second, the times go back with it. Any time is accepted.
struct RisingTime: Hashable, Sendable {
    /// The latest time given; nil before the first.
    private(set) var last: Int64?

    /// A step back by more than this is the clock's, not an effect of equal times.
    private static let tolerance: Int64 = 1_000_000_000

    init(after last: Int64? = nil) {
        self.last = last
    }

    /// The time of the next record, whose own time is `nanoseconds`.
    mutating func next(_ nanoseconds: Int64) -> Int64 {
        var time = nanoseconds
        if let last, nanoseconds <= last {
            let (step, isFar) = last.subtractingReportingOverflow(nanoseconds)
            let (next, isBeyond) = last.addingReportingOverflow(1)
            time = isFar || isBeyond || step > Self.tolerance ? nanoseconds : next
        }
        last = time
        return time
    }
}
