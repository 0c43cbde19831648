import CLinux
import Glibc

/// Ends, once and for all, what one thread waits for, from any other (an eventfd that stays readable): for threads that
/// wait in poll(2) for something else as well.
public final class Interruption: Sendable {
    private let event: Descriptor

    /// One that is not raised.
    public init() throws(SystemError) {
        event = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
    }

    /// What is readable once it is raised; nobody is to read it.
    public var descriptor: Int32 { event.raw }

    /// Raises it. Never blocks.
    public func raise() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Whether it is raised within that many microseconds.
    public func isRaised(within microseconds: Int64 = 0) -> Bool {
        var place = pollfd(fd: event.raw, events: Int16(POLLIN), revents: 0)
        return poll(&place, 1, Int32(clamping: (microseconds + 999) / 1000)) > 0
    }
}
