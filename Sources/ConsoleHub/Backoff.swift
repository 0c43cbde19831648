/// How long to wait before a console is dialled again: hardly at first, for its owner may be between bind and listen,
/// twice as long each time, and in the end now and then for good. In microseconds.
struct Backoff {
    private var delay = first

    private static let first: Int64 = 2000
    private static let doublingLimit: Int64 = 4_000_000
    static let slow: Int64 = 30_000_000

    /// Whether it has come to the longest delay.
    var isSlow: Bool { delay == Self.slow }

    /// The next delay.
    mutating func next() -> Int64 {
        defer { delay = delay * 2 > Self.doublingLimit ? Self.slow : delay * 2 }
        return delay
    }
}
