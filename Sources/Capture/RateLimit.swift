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
