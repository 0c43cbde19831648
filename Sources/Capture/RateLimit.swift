/// How fast a source that cannot wait may fill the store.
public struct RateLimit: Hashable, Sendable {
    /// Bytes a second, in the long run.
    public var rate: Int
    /// Bytes at once, after a quiet time.
    public var burst: Int

    /// 4 MiB a second, 32 MiB at once: no boot comes near it, a flood is cut down to it.
    public static let standard = RateLimit(rate: 4 << 20, burst: 32 << 20)

    /// A limit from its parts.
    public init(rate: Int, burst: Int) {
        self.rate = rate
        self.burst = burst
    }
}

/// Tells when a source goes over its rate, and when it has calmed down: a token bucket with a memory.
///
/// Once over, a source stays over until a second's worth has gathered again, so a steady flood gives a few long gaps
/// rather than thousands of short ones.
struct RateMeter {
    let limit: RateLimit
    private var tokens: Double
    private var last: Int64
    private(set) var isOver = false

    init(_ limit: RateLimit, now: Int64) {
        self.limit = limit
        tokens = Double(limit.burst)
        last = now
    }

    /// Whether a read at `now` (monotonic microseconds) may be kept.
    mutating func allows(at now: Int64) -> Bool {
        tokens = min(Double(limit.burst), tokens + Double(now - last) * Double(limit.rate) / 1_000_000)
        last = now
        if isOver {
            isOver = tokens < Double(min(limit.rate, limit.burst))
        } else {
            isOver = tokens <= 0
        }
        return !isOver
    }

    /// Counts `bytes` that were kept.
    mutating func spend(_ bytes: Int) {
        tokens -= Double(bytes)
    }
}
