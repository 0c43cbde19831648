// SPDX-License-Identifier: Apache-2.0

import Synchronization
import SystemIO

/// Divides a long read into turns, so that it shares its thread with others, and ends it when its result is not needed
/// any more.
///
/// The reading code checks it between blocks and between lines. Used by one thread at a time, except for `cancel()`.
public final class ReadTurn: Sendable {
    private let isCancelled = Atomic(false)
    private let end = Atomic<Int64>(.max)

    private let length: Int64

    /// The default length of a turn in microseconds: how long another read has to wait.
    public static let defaultLength: Int64 = 50_000

    /// The result is not needed any more.
    public struct Cancelled: Error {
        public init() {}
    }

    /// The turn has expired: the state of the read is kept, and the next turn continues it.
    public struct Expired: Error {}

    /// A read that has not begun, with turns of that length.
    public init(microseconds length: Int64 = defaultLength) {
        self.length = length
    }

    /// Ends the read, from any thread: its next check throws `Cancelled`.
    public func cancel() {
        isCancelled.store(true, ordering: .relaxed)
    }

    /// Begins a turn.
    public func begin() {
        end.store(SystemClock().monotonicMicroseconds() + length, ordering: .relaxed)
    }

    func check() throws(Cancelled) {
        if isCancelled.load(ordering: .relaxed) {
            throw Cancelled()
        }
    }

    /// Throws `Expired` when the turn has expired.
    func checkTime() throws(Expired) {
        if SystemClock().monotonicMicroseconds() >= end.load(ordering: .relaxed) {
            throw Expired()
        }
    }
}
