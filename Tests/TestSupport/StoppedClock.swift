// SPDX-License-Identifier: Apache-2.0

public import SystemIO

/// A clock that stands still: what waits for a time waits for ever.
public struct StoppedClock: HostClock {
    public init() {}

    public func wallMicroseconds() -> Int64 { 1_700_000_000_000_000 }
    public func monotonicMicroseconds() -> Int64 { 1_000_000_000 }
}
