// SPDX-License-Identifier: Apache-2.0

/// An event that is signalled once and waited for by one thread.
public final class OneShot: Sendable {
    private let semaphore = Semaphore()

    /// An event that is not signalled.
    public init() {}

    public func signal() {
        semaphore.signal()
    }

    /// Waits until it is signalled.
    public func wait() {
        semaphore.wait()
    }

    /// Waits until it is signalled, or that many seconds have passed (nil: no limit); returns whether it is signalled.
    public func wait(seconds: Int?) -> Bool {
        semaphore.wait(seconds: seconds)
    }
}
