import CLinux
import Glibc

/// Wakes one sleeping thread from any other (an eventfd): rung while nobody sleeps, the next sleep ends at once.
public final class Alarm: Sendable {
    private let event: Descriptor

    /// A silent alarm.
    public init() throws(SystemError) {
        event = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
    }

    /// The descriptor that is readable while the alarm is rung.
    public var descriptor: Int32 { event.raw }

    /// Rings: async-signal-safe, never blocks.
    public func ring() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Silences the alarm; whether it had been rung.
    @discardableResult
    public func clear() -> Bool {
        var count: UInt64 = 0
        return read(event.raw, &count, 8) == 8
    }

    /// Sleeps until rung or until `microseconds` have passed (nil: no limit), and silences the alarm.
    public func sleep(microseconds: Int64?) {
        var poll = pollfd(fd: event.raw, events: Int16(POLLIN), revents: 0)
        let milliseconds = microseconds.map { Int32(clamping: max(0, ($0 + 999) / 1000)) } ?? -1
        _ = Glibc.poll(&poll, 1, milliseconds)
        clear()
    }
}
