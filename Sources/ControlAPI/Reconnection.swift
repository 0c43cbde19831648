import Glibc
import SystemIO

/// When to try again after the daemon went away: soon, then less often, for a minute.
public struct Reconnection {
    /// Microseconds before the first attempt.
    private static let first: Int64 = 50_000
    /// And before each after some.
    private static let longest: Int64 = 2_000_000
    /// Microseconds after which a daemon that does not come back is given up.
    private static let limit: Int64 = 60_000_000

    private var delay = Self.first
    private var lost: Int64?

    /// A connection that was not lost yet.
    public init() {}

    /// Whether the connection is lost, and was not made again.
    public var isLost: Bool { lost != nil }

    /// Microseconds since the connection was lost.
    public var lostFor: Int64 { lost.map { SystemClock().monotonicMicroseconds() - $0 } ?? 0 }

    /// The connection is made again.
    public mutating func connected() {
        self = Reconnection()
    }

    /// The connection was lost, or could not be made again: waits until the next attempt is due. False when it is time
    /// to give up.
    public mutating func wait() async -> Bool {
        lost = lost ?? SystemClock().monotonicMicroseconds()
        guard lostFor < Self.limit else {
            return false
        }
        try? await Task.sleep(for: .microseconds(delay))
        delay = min(2 * delay, Self.longest)
        return !Task.isCancelled
    }
}
