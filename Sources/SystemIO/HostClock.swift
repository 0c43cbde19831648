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

    /// Wall-clock time in nanoseconds since the Unix epoch.
    public static func wallNanoseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) }

    /// Monotonic time in nanoseconds, for the measurement of short times.
    public static func monotonicNanoseconds() -> Int64 { nanoseconds(CLOCK_MONOTONIC) }

    /// The time since the host has booted, with that in suspend, in microseconds.
    public static func bootMicroseconds() -> Int64 { read(CLOCK_BOOTTIME) }

    /// The processor time that the calling thread has used, in nanoseconds.
    public static func threadNanoseconds() -> Int64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        let time = time(of: clock)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        let now = time(of: clock)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }

    private static func time(of clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}
