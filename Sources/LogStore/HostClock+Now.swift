// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import SystemIO

extension HostClock {
    /// The wall-clock time. May step.
    public var now: Timestamp { Timestamp(microseconds: wallMicroseconds()) }
}
