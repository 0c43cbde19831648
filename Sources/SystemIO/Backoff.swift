// SPDX-License-Identifier: Apache-2.0

/// The delays between attempts, in microseconds: doubled each time up to a limit, and then the longest for good.
public struct Backoff: Sendable {
    private var delay: Int64
    private let doublingLimit: Int64
    /// The longest delay.
    public let longest: Int64

    /// Delays from `first` on. Those that would be longer than `doublingLimit` are `longest`.
    public init(first: Int64, doublingLimit: Int64, longest: Int64) {
        delay = first
        self.doublingLimit = doublingLimit
        self.longest = longest
    }

    /// The delays for dialling a socket: very short at first, because its owner may be between bind and listen.
    public init() {
        self.init(first: 2000, doublingLimit: 4_000_000, longest: 30_000_000)
    }

    /// Whether the delay has reached its maximum.
    public var isSlow: Bool { delay == longest }

    /// A part of the next delay, from half of it for a `random` of 0 to all of it for 1, so that many clients of a server do
    /// not come at once when it is there again.
    public mutating func nextSpread(random: Double = .random(in: 0..<1)) -> Int64 {
        let delay = next()
        return delay / 2 + Int64(Double(delay) * random / 2)
    }

    /// The next delay.
    public mutating func next() -> Int64 {
        defer { delay = delay * 2 > doublingLimit ? longest : delay * 2 }
        return delay
    }
}
