// SPDX-License-Identifier: Apache-2.0

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
