// SPDX-License-Identifier: Apache-2.0

public import Glibc

/// poll(2) with a limit in microseconds, the unit of the clocks here.
public enum Poll {
    /// Waits until one of `polled` is ready, or until `microseconds` have passed (nil: no limit; below zero: none),
    /// rounded up to milliseconds: a thread that waits for a time does not wake before it. Returns how many are ready;
    /// -1 when a signal has interrupted it.
    @discardableResult
    public static func wait(for polled: inout [pollfd], microseconds: Int64?) -> Int32 {
        let milliseconds = microseconds.map { Int32(clamping: (max(1, $0) - 1) / 1000 + ($0 > 0 ? 1 : 0)) }
        return Glibc.poll(&polled, nfds_t(polled.count), milliseconds ?? -1)
    }
}

extension pollfd {
    /// Waits for `events` of `descriptor`, by default for something to read; a negative descriptor is left out.
    public init(_ descriptor: Int32, _ events: Int32 = POLLIN) {
        self.init(fd: descriptor, events: Int16(events), revents: 0)
    }
}
