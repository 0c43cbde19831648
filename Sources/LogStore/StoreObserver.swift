// SPDX-License-Identifier: Apache-2.0

/// Reports changes of the store to a follower: in the daemon by commit notifications, elsewhere by inotify.
public protocol StoreObserver {
    /// Observes more of the store's folders, named relative to its root (`""` is the root itself). Earlier changes are
    /// not reported.
    func observe(_ folders: [String])
    /// Waits for a change, no longer than `microseconds` when given; it may return early.
    func wait(microseconds: Int64?) async -> WakeReason
    /// Runs a body that reads files where it may block.
    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}

/// Why a wait ended.
public enum WakeReason: Hashable, Sendable {
    /// Something has, or may have, changed since the last wait.
    case changed(StoreChanges)
    /// The time limit passed.
    case timeout
    /// The observer was closed.
    case closed
}
