// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The streams that have a source: each has one at most.
final class Claims: Sendable {
    private let keys = Mutex<Set<StreamKey>>([])

    func withLock<Result: Sendable>(_ body: (inout sending Set<StreamKey>) -> sending Result) -> Result {
        keys.withLock(body)
    }
}
