// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// A closed pair that the disk cannot read now. An error of reading may pass, so the pair is tried again, less and less
/// often, and skipped only when the error lasts.
struct PairFailure {
    let base: UInt64
    private(set) var error: SystemError
    /// When it failed first, in monotonic microseconds.
    private let since: Int64
    private var delay: Int64 = 1_000_000
    private var retryAt: Int64

    /// The longest time between two attempts, in microseconds.
    private static let longestDelay: Int64 = 30_000_000
    /// How long an error may last, in microseconds.
    static let limit: Int64 = 300_000_000

    /// The failure of the pair at `base` at `now`, in monotonic microseconds.
    init(of base: UInt64, _ error: SystemError, at now: Int64) {
        self.base = base
        self.error = error
        since = now
        retryAt = now + delay
    }

    /// The pair failed again.
    mutating func repeated(_ error: SystemError, at now: Int64) {
        self.error = error
        delay = min(2 * delay, Self.longestDelay)
        retryAt = now + delay
    }

    /// Whether the pair is to be left alone at `now`.
    func isPaused(at now: Int64) -> Bool { now < retryAt }

    /// Whether the pair is to be skipped at `now`.
    func isLasting(at now: Int64) -> Bool { !error.mayPass || now - since >= Self.limit }
}
