/// How long to wait before a socket is dialled again: hardly at first, for its owner may be between bind and listen,
/// twice as long each time, and in the end now and then for good. In microseconds.
public struct Backoff: Sendable {
    private var delay = first

    private static let first: Int64 = 2000
    private static let doublingLimit: Int64 = 4_000_000
    static let slow: Int64 = 30_000_000

    /// One from which nothing was asked yet.
    public init() {}

    /// Whether it has come to the longest delay.
    var isSlow: Bool { delay == Self.slow }

    /// The next delay.
    public mutating func next() -> Int64 {
        defer { delay = delay * 2 > Self.doublingLimit ? Self.slow : delay * 2 }
        return delay
    }
}
