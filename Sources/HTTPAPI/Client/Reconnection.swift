// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The delays between reconnection attempts after the daemon has gone away: increasing, for a minute.
public struct Reconnection {
    /// Microseconds after which reconnection is given up.
    private static let limit: Int64 = 60_000_000

    private var backoff = Backoff(first: 50_000, doublingLimit: 2_000_000, longest: 2_000_000)
    private var lost: Int64?

    public init() {}

    /// Whether the connection is lost.
    public var isLost: Bool { lost != nil }

    /// Microseconds since the connection was lost.
    public var lostFor: Int64 { lost.map { SystemClock().monotonicMicroseconds() - $0 } ?? 0 }

    /// The connection is established again.
    public mutating func connected() {
        self = Reconnection()
    }

    /// The connection was lost, or an attempt failed: waits until the next attempt is due. False when the limit is
    /// reached.
    public mutating func wait() async -> Bool {
        lost = lost ?? SystemClock().monotonicMicroseconds()
        guard lostFor < Self.limit else {
            return false
        }
        try? await Task.sleep(for: .microseconds(backoff.next()))
        return !Task.isCancelled
    }
}
