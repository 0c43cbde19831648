// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Knows up to which position of a source everything is committed: the position before the oldest batch that is not.
final class CommitCounter: Sendable {
    private struct Round {
        var open = 0
        /// The position after the round's batches, once all of them were given to the store.
        var position: ReadPosition?
    }

    private let observer = Mutex<(@Sendable () -> Void)?>(nil)
    private let rounds = Mutex<(first: Int, list: [Round], safe: ReadPosition?)>((0, [Round()], nil))

    /// Has `body` called, on any thread, whenever more may be committed.
    func observe(_ body: @escaping @Sendable () -> Void) {
        observer.withLock { $0 = body }
    }

    /// A batch of the current round was given to the store; returns the round's number, for `end`.
    func begin() -> Int {
        rounds.withLock { rounds in
            rounds.list[rounds.list.count - 1].open += 1
            return rounds.first + rounds.list.count - 1
        }
    }

    /// A batch of that round is committed.
    func end(_ round: Int) {
        let hasAdvanced = rounds.withLock { rounds in
            rounds.list[round - rounds.first].open -= 1
            return Self.advance(&rounds)
        }
        if hasAdvanced {
            observer.withLock { $0 }?()
        }
    }

    /// Everything up to `position` was given to the store.
    func endRound(at position: ReadPosition) {
        rounds.withLock { rounds in
            rounds.list[rounds.list.count - 1].position = position
            rounds.list.append(Round())
            _ = Self.advance(&rounds)
        }
    }

    /// Returns whether more is committed.
    private static func advance(_ rounds: inout (first: Int, list: [Round], safe: ReadPosition?)) -> Bool {
        let first = rounds.first
        while let round = rounds.list.first, round.open == 0, let position = round.position {
            rounds.safe = position
            rounds.list.removeFirst()
            rounds.first += 1
        }
        return rounds.first != first
    }

    /// The position up to which everything is committed; nil when that has not changed since the last call.
    func takeSafe() -> ReadPosition? {
        rounds.withLock { rounds in
            defer { rounds.safe = nil }
            return rounds.safe
        }
    }
}
