// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The host's clocks; tests inject their own.
public protocol HostClock: Sendable {
    /// Wall-clock time: microseconds since the Unix epoch. May step.
    func wallMicroseconds() -> Int64
    /// Monotonic time in microseconds from an arbitrary start. Never steps; stands still in suspend.
    func monotonicMicroseconds() -> Int64
}

public struct SystemClock: HostClock {
    public init() {}

    public func wallMicroseconds() -> Int64 {
        Self.read(CLOCK_REALTIME)
    }

    public func monotonicMicroseconds() -> Int64 {
        Self.read(CLOCK_MONOTONIC)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var now = timespec()
        clock_gettime(clock, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }
}
