// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The notices that the console hub has given to clients.
public final class Notices: Sendable {
    private let notices = Mutex<[String]>([])

    public init() {}

    @Sendable
    public func add(_ notice: String) {
        notices.withLock { $0.append(notice) }
    }

    /// All of them, oldest first.
    public var all: [String] { notices.withLock { $0 } }
}
