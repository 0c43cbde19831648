// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Wakes one sleeping thread from any other (an eventfd). A signal while the thread is awake ends the next sleep at
/// once.
public final class WakeEvent: Sendable {
    private let event: Descriptor

    public init() throws(SystemError) {
        event = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
    }

    /// Readable after a signal, until `sleep` has reset the event: for a thread that waits in poll(2) for something else
    /// as well.
    public var descriptor: Int32 { event.raw }

    /// Wakes the thread: async-signal-safe, never blocks.
    public func signal() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Sleeps until signalled or until `microseconds` have passed (nil: no limit), and resets the event.
    public func sleep(microseconds: Int64?) {
        var polled = [pollfd(event.raw)]
        Poll.wait(for: &polled, microseconds: microseconds)
        var count: UInt64 = 0
        _ = read(event.raw, &count, 8)
    }
}
