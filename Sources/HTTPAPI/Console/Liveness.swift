// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Detects a peer that no longer answers.
final class Liveness: Sendable {
    private let isSilent = Atomic(false)
    private let isIgnored = Atomic(false)

    /// Notes that something was received.
    func heard() {
        isSilent.store(false, ordering: .relaxed)
    }

    /// Runs `body`, during which nothing is received from the peer: it counts as alive meanwhile, because its answers to
    /// pings wait to be received.
    func ignoring(_ body: () async throws -> Void) async rethrows {
        isIgnored.store(true, ordering: .relaxed)
        defer {
            heard()
            isIgnored.store(false, ordering: .relaxed)
        }
        try await body()
    }

    /// Waits for an interval; false when nothing was received in it nor in the one before, at whose end a ping was
    /// sent.
    func isAlive(after interval: Duration) async throws -> Bool {
        let wasSilent = isSilent.exchange(true, ordering: .relaxed)
        try await Task.sleep(for: interval)
        return isIgnored.load(ordering: .relaxed) || !(wasSilent && isSilent.load(ordering: .relaxed))
    }
}
