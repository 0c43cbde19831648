// SPDX-License-Identifier: Apache-2.0

/// Gives the records of a stream times of their own, in nanoseconds: engines order equal times as they like, drop equal
/// texts of equal times, and return only so many records of one time.
///
/// The store's times are microseconds; within one, records get its nanoseconds one after the other, and after the last
/// those of the next. When the clock was set back by more than a second, the times go back with it. Any time is accepted.
///
/// A record may state its own time, and programs whose clocks differ may write one stream by turns: each of the rising
/// sequences that they form goes on by itself. A guest can state any times in any order, so there are only so many
/// sequences, and what fits none has the time of storing: a time is given a few times at most.
struct RisingTime: Hashable, Sendable {
    /// The time given last; nil before the first.
    private(set) var last: Int64?
    /// The times given last by the host's clock, and in each sequence of own times.
    private var stored: Int64?
    private var own: [Int64]

    /// A step back by more than this is the clock's, not an effect of equal times.
    private static let tolerance: Int64 = 1_000_000_000
    /// Maximum number of sequences of own times.
    static let sequences = 8

    init(after last: Int64? = nil) {
        self.last = last
        stored = last
        own = last.map { [$0] } ?? []
    }

    /// The state that `text` describes, `-` before the first time; nil when it is malformed. A single time, as earlier
    /// versions saved it, stands for all.
    init?(text: some StringProtocol) {
        if text == "-" {
            self.init()
            return
        }
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard let last = Int64(words[0]), words.count <= Self.sequences + 2 else {
            return nil
        }
        self.init(after: last)
        guard words.count > 1 else {
            return
        }
        guard words[1] == "-" || Int64(words[1]) != nil else {
            return nil
        }
        stored = Int64(words[1])
        own = words[2...].compactMap { Int64($0) }
        guard own.count == words.count - 2 else {
            return nil
        }
    }

    /// The state as text without spaces: the time given last, that by the host's clock, and those of the sequences.
    var text: String {
        guard let last else {
            return "-"
        }
        if self == RisingTime(after: last) {
            return "\(last)"
        }
        return (["\(last)", stored.map { "\($0)" } ?? "-"] + own.map { "\($0)" }).joined(separator: ",")
    }

    /// The time of the next record, which was stored at `time` and states `ownTime`; nil: none.
    mutating func next(_ time: Int64, own ownTime: Int64? = nil) -> Int64 {
        let given = ownTime.flatMap { nextOwn($0) } ?? nextStored(time)
        last = given
        return given
    }

    private mutating func nextStored(_ time: Int64) -> Int64 {
        let next = stored.flatMap { Self.following($0, time) } ?? time
        stored = next
        return next
    }

    /// The time for a record whose own time is `time`; nil when it fits no sequence, and their number is at its limit.
    private mutating func nextOwn(_ time: Int64) -> Int64? {
        // The sequence that is furthest, of those that need not go back for it.
        let next = own.indices.filter { Self.following(own[$0], time) != nil }.max { own[$0] < own[$1] }
        guard let next, let given = Self.following(own[next], time) else {
            guard own.count < Self.sequences else {
                return nil
            }
            own.append(time)
            return time
        }
        own[next] = given
        return given
    }

    /// What follows the time `last` for a record of the time `time`; nil when that is further back than `tolerance`.
    private static func following(_ last: Int64, _ time: Int64) -> Int64? {
        guard time <= last else {
            return time
        }
        let (step, isFar) = last.subtractingReportingOverflow(time)
        let (next, isBeyond) = last.addingReportingOverflow(1)
        return isFar || isBeyond || step > tolerance ? nil : next
    }
}
