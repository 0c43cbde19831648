// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Ends a thread's waits permanently, from any other thread (an eventfd that stays readable): for threads that wait in
/// poll(2) for something else as well.
public final class Interruption: Sendable {
    private let event: Descriptor

    public init() throws(SystemError) {
        event = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
    }

    /// Readable after it was raised; must not be read.
    public var descriptor: Int32 { event.raw }

    public func raise() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Whether it is raised within that many microseconds.
    public func isRaised(within microseconds: Int64 = 0) -> Bool {
        var polled = [pollfd(event.raw)]
        return Poll.wait(for: &polled, microseconds: microseconds) > 0
    }

    /// Waits until `event` is signalled, and resets it; returns false when the interruption is raised before.
    public func wait(for event: WakeEvent) -> Bool {
        var polled = [pollfd(descriptor), pollfd(event.descriptor)]
        while Poll.wait(for: &polled, microseconds: nil) < 0 {}
        guard polled[0].revents == 0 else {
            return false
        }
        event.sleep(microseconds: 0)
        return true
    }
}
