// SPDX-License-Identifier: Apache-2.0

import LogModel

/// How much text a stream's next pair may have.
///
/// Creating and removing files costs more than writing a block: a stream that fills a pair within a second gets larger
/// ones, up to a limit. Slow streams keep to one block, so that many streams have little unsealed text.
struct PairPace {
    /// Text of a pair at most, in bytes; the last block may end later, at the end of a line.
    let limit: Int
    /// Bytes of text at which the pair is closed.
    private(set) var target = StoreLimits.blockTarget

    /// A stream that fills a pair faster, in microseconds, gets a larger one.
    private static let fast: Int64 = 1_000_000
    /// A stream that takes longer gets a smaller one.
    private static let slow: Int64 = 4_000_000

    init(limit: Int) {
        self.limit = max(limit, StoreLimits.blockTarget)
    }

    /// Notes that a pair was filled in the time between its first and last record.
    mutating func filled(from first: Timestamp, to last: Timestamp) {
        let elapsed = last.microseconds - first.microseconds
        if elapsed < Self.fast {
            target = min(2 * target, limit)
        } else if elapsed > Self.slow {
            target = max(target / 2, StoreLimits.blockTarget)
        }
    }
}
