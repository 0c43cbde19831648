import CLinux
import Glibc

/// Wakes one sleeping thread from any other (an eventfd): rung while nobody sleeps, the next sleep ends at once.
public final class WakeEvent: Sendable {
    private let event: Descriptor

    /// A silent wakeEvent.
    public init() throws(SystemError) {
        event = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
    }

    /// Rings: async-signal-safe, never blocks.
    public func signal() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Sleeps until rung or until `microseconds` have passed (nil: no limit), and silences the wakeEvent.
    public func sleep(microseconds: Int64?) {
        var poll = pollfd(fd: event.raw, events: Int16(POLLIN), revents: 0)
        let milliseconds = microseconds.map { Int32(clamping: max(0, ($0 + 999) / 1000)) } ?? -1
        _ = Glibc.poll(&poll, 1, milliseconds)
        var count: UInt64 = 0
        _ = read(event.raw, &count, 8)
    }
}
