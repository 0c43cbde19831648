// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Detects a peer that no longer answers.
final class Liveness: Sendable {
    private let isSilent = Atomic(false)

    /// Notes that something was received.
    func heard() {
        isSilent.store(false, ordering: .relaxed)
    }

    /// Waits for an interval; false when nothing was received in it nor in the one before, at whose end a ping was
    /// sent.
    func isAlive(after interval: Duration) async throws -> Bool {
        let wasSilent = isSilent.exchange(true, ordering: .relaxed)
        try await Task.sleep(for: interval)
        return !(wasSilent && isSilent.load(ordering: .relaxed))
    }
}
