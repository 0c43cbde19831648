// SPDX-License-Identifier: Apache-2.0

import LogStore
import Synchronization
import SystemIO

/// The writer's progress, for other threads: whether it advances, and for how long it has not.
final class WriterPulse: Sendable {
    private let clock: any HostClock
    /// Monotonic microseconds when the current turn began; 0 between turns.
    private let busySince = Atomic<Int64>(0)
    private let steps = Atomic<UInt64>(0)
    private let slowest = Atomic<Int64>(0)

    init(_ clock: any HostClock) {
        self.clock = clock
    }

    /// A turn begins. Writer.
    func begin(at now: Int64) {
        busySince.store(now, ordering: .relaxed)
    }

    /// The turn has ended. Writer.
    func end() {
        let took = stuckFor
        busySince.store(0, ordering: .relaxed)
        if took > slowest.load(ordering: .relaxed) {
            slowest.store(took, ordering: .relaxed)
        }
    }

    /// The longest turn since the last call, in microseconds.
    func takeSlowest() -> Int64 { slowest.exchange(0, ordering: .relaxed) }

    /// A part of a turn is done: an entry was taken, or a file was written. Writer.
    func step() {
        steps.add(1, ordering: .relaxed)
    }

    /// How long the current turn has taken, in microseconds.
    var stuckFor: Int64 {
        let since = busySince.load(ordering: .relaxed)
        return since == 0 ? 0 : clock.monotonicMicroseconds() - since
    }

    /// The number of parts done: while it increases, the disk is slow, not blocked.
    var progress: UInt64 { steps.load(ordering: .relaxed) }
}
