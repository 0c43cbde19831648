// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The memory that the uncommitted batches of all record streams may use together.
final class RecordBudget: Sendable {
    private struct State {
        var used = 0
        var waiting: [RecordIntake] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    /// A budget of `limit` bytes.
    init(limit: Int) {
        self.limit = limit
    }

    /// Acquires `size` bytes for `intake`; returns false when there are too few: then `intake.spaceReturned()` is called
    /// when there may be enough. The first batch always fits.
    func acquire(_ size: Int, for intake: RecordIntake) -> Bool {
        state.withLock { state in
            guard state.used == 0 || state.used + size <= limit else {
                if !state.waiting.contains(where: { $0 === intake }) {
                    state.waiting.append(intake)
                }
                return false
            }
            state.used += size
            return true
        }
    }

    /// Returns `size` bytes.
    func release(_ size: Int) {
        let waiting = state.withLock { state in
            state.used -= size
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0.spaceReturned() }
    }
}
