import LogStore
import Synchronization
import SystemIO

/// What other threads can tell of the store's writer: whether it comes on, and since when it has not.
final class WriterPulse: Sendable {
    private let clock: any HostClock
    /// Monotonic microseconds when the turn in progress began; 0 between turns.
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

    /// It has ended. Writer.
    func end() {
        let took = stuckFor
        busySince.store(0, ordering: .relaxed)
        if took > slowest.load(ordering: .relaxed) {
            slowest.store(took, ordering: .relaxed)
        }
    }

    /// The longest turn since this was last asked, in microseconds.
    func takeSlowest() -> Int64 { slowest.exchange(0, ordering: .relaxed) }

    /// An entry has been taken, of whatever ring. Writer.
    func step() {
        steps.add(1, ordering: .relaxed)
    }

    /// How long the turn in progress has taken, in microseconds.
    var stuckFor: Int64 {
        let since = busySince.load(ordering: .relaxed)
        return since == 0 ? 0 : clock.monotonicMicroseconds() - since
    }

    /// How many entries have been taken: while this moves, the disk is slow, not stuck.
    var progress: UInt64 { steps.load(ordering: .relaxed) }
}
