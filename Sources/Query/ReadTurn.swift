import Synchronization
import SystemIO

/// Divides a long read into turns, so that it shares its thread with others, and ends it when nobody waits for the
/// answer any more.
///
/// What reads asks between blocks and between lines. Used by one thread at a time, but for `cancel()`.
public final class ReadTurn: Sendable {
    private let isCancelled = Atomic(false)
    private let end = Atomic<Int64>(.max)

    private let length: Int64

    /// Microseconds of a turn, unless told otherwise: so long another read has to wait for its own.
    public static let standardLength: Int64 = 50_000

    /// Nobody waits for the answer any more.
    public struct Cancelled: Error {
        /// The error.
        public init() {}
    }

    /// The turn is over: what was read so far stays as it is, and the next turn goes on there.
    struct Expired: Error {}

    /// A read that has not begun, in turns of that length.
    public init(microseconds length: Int64 = standardLength) {
        self.length = length
    }

    /// Ends the read, from any thread: it throws `Cancelled` when it next asks.
    public func cancel() {
        isCancelled.store(true, ordering: .relaxed)
    }

    /// A turn begins.
    func begin() {
        end.store(SystemClock().monotonicMicroseconds() + length, ordering: .relaxed)
    }

    /// Throws `Cancelled` when the read was cancelled.
    func check() throws(Cancelled) {
        if isCancelled.load(ordering: .relaxed) {
            throw Cancelled()
        }
    }

    /// Throws `Expired` when the turn is over.
    func checkTime() throws(Expired) {
        if SystemClock().monotonicMicroseconds() >= end.load(ordering: .relaxed) {
            throw Expired()
        }
    }
}
