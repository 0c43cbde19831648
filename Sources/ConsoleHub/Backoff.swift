// SPDX-License-Identifier: Apache-2.0

/// The delays between attempts to dial a socket, in microseconds: very short at first, because its owner may be between
/// bind and listen, doubled each time up to a maximum that is kept for good.
public struct Backoff: Sendable {
    private var delay = first

    private static let first: Int64 = 2000
    private static let doublingLimit: Int64 = 4_000_000
    static let slow: Int64 = 30_000_000

    public init() {}

    /// Whether the delay has reached its maximum.
    var isSlow: Bool { delay == Self.slow }

    /// The next delay.
    public mutating func next() -> Int64 {
        defer { delay = delay * 2 > Self.doublingLimit ? Self.slow : delay * 2 }
        return delay
    }
}
