// SPDX-License-Identifier: Apache-2.0

/// The maximum rate at which a source may fill the store.
public struct RateLimit: Hashable, Sendable {
    /// Bytes per second, in the long run.
    public var rate: Int
    /// Bytes at once, after a quiet time.
    public var burst: Int

    /// 4 MiB per second, 32 MiB at once: more than any boot needs, less than a flood.
    public static let `default` = RateLimit(rate: 4 << 20, burst: 32 << 20)

    public init(rate: Int, burst: Int) {
        self.rate = rate
        self.burst = burst
    }
}

/// Detects when a source exceeds its rate, and when it is below it again: a token bucket with hysteresis.
///
/// A source over its rate stays over until a second's worth of tokens is available, so that a steady flood makes a few
/// long gaps rather than thousands of short ones.
public struct RateMeter: Sendable {
    public let limit: RateLimit
    private var tokens: Double
    private var last: Int64
    private var isOverRate = false

    /// A meter of a source that has been quiet until `now`, in monotonic microseconds.
    public init(_ limit: RateLimit, now: Int64) {
        self.limit = limit
        tokens = Double(limit.burst)
        last = now
    }

    /// Whether bytes read at `now` (monotonic microseconds) may be stored.
    public mutating func allows(at now: Int64) -> Bool {
        tokens = min(Double(limit.burst), tokens + Double(now - last) * Double(limit.rate) / 1_000_000)
        last = now
        if isOverRate {
            isOverRate = tokens < Double(min(limit.rate, limit.burst))
        } else {
            isOverRate = tokens <= 0
        }
        return !isOverRate
    }

    /// What was spent beyond the limit and has not been made up for yet, as of the last call of `allows`.
    public var debt: Int { tokens < 0 ? Int(-tokens) : 0 }

    /// Counts `bytes` that were stored.
    public mutating func spend(_ bytes: Int) {
        tokens -= Double(bytes)
    }
}
