// SPDX-License-Identifier: Apache-2.0

/// How long to wait after a change before reading, so that a program that writes byte by byte does not cost a read per
/// byte. The first bytes after quiet are read at once, and large amounts without pauses.
public struct ReadPacing: Sendable {
    private var lastRead: Int64 = 0
    private var wasSmall = false
    /// The distance between reads of a busy writer, in microseconds.
    private let interval: Int64
    /// A change that comes later than this after a read follows quiet, in microseconds.
    private let quiet: Int64

    /// A read of this many bytes gains nothing from waiting for more.
    static let large = 64 << 10

    /// The pace of a reader that passes on what it reads: 10 ms is an unnoticeable delay.
    public init() {
        self.init(interval: 10_000, quiet: 5000)
    }

    public init(interval: Int64, quiet: Int64) {
        self.interval = interval
        self.quiet = quiet
    }

    /// The microseconds to wait before a read, when a change was reported at `now`, a monotonic time in microseconds.
    public func delay(at now: Int64) -> Int64 {
        let passed = now - lastRead
        return wasSmall && passed >= 0 && passed < quiet ? interval - passed : 0
    }

    /// All that there was has been read at `now`: `bytes` bytes.
    public mutating func didRead(_ bytes: Int, at now: Int64) {
        lastRead = now
        wasSmall = bytes < Self.large
    }
}
