// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Knows up to which position of a source everything is committed: the position before the oldest batch that is not.
final class CommitCounter: Sendable {
    private struct Round {
        var open = 0
        /// The position after the round's batches, once all of them were given to the store.
        var position: SourcePosition?
    }

    private let rounds = Mutex<(first: Int, list: [Round], safe: SourcePosition?)>((0, [Round()], nil))

    /// A batch of the current round was given to the store; returns the round's number, for `end`.
    func begin() -> Int {
        rounds.withLock { rounds in
            rounds.list[rounds.list.count - 1].open += 1
            return rounds.first + rounds.list.count - 1
        }
    }

    /// A batch of that round is committed.
    func end(_ round: Int) {
        rounds.withLock { rounds in
            rounds.list[round - rounds.first].open -= 1
            Self.advance(&rounds)
        }
    }

    /// Everything up to `position` was given to the store.
    func endRound(at position: SourcePosition) {
        rounds.withLock { rounds in
            rounds.list[rounds.list.count - 1].position = position
            rounds.list.append(Round())
            Self.advance(&rounds)
        }
    }

    private static func advance(_ rounds: inout (first: Int, list: [Round], safe: SourcePosition?)) {
        while let round = rounds.list.first, round.open == 0, let position = round.position {
            rounds.safe = position
            rounds.list.removeFirst()
            rounds.first += 1
        }
    }

    /// The position up to which everything is committed; nil when that has not changed since the last call.
    func takeSafe() -> SourcePosition? {
        rounds.withLock { rounds in
            defer { rounds.safe = nil }
            return rounds.safe
        }
    }
}
