// SPDX-License-Identifier: Apache-2.0

import LogModel
public import LogStore
import SystemIO

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

/// Follows a query: reads to the end, observes new folders, reads again, waits, and repeats.
public struct Following<Observer: StoreObserver> {
    private let observer: Observer

    /// The delay after which an unfinished line is shown to a follower, in microseconds.
    private static var partialDelay: Int64 { 100_000 }
    /// The maximum delay between receipt and commit, in microseconds.
    private static var commitDelay: Int64 { 500_000 }

    /// A follower that `observer` wakes.
    public init(_ observer: Observer) {
        self.observer = observer
    }

    /// Passes the response to `body`, chunk by chunk, until it is complete; false when the observer was closed first.
    public func answer(_ query: LogQuery, to body: ([UInt8]) async throws -> Void) async throws -> Bool {
        var partialLineTimeout: Int64? = Self.partialDelay
        let end = query.selection.until?.advanced(byMicroseconds: Self.commitDelay)
        while true {
            let rest = end.map { $0.microseconds - SystemClock().wallMicroseconds() }
            var folders: [String]
            repeat {
                while let chunk = try await observer.reading({ try query.next() }) {
                    if !chunk.isEmpty {
                        try await body(chunk)
                    }
                }
                if query.isFinished {
                    return true
                }
                folders = query.takeNewFolders()
                observer.observe(folders)
                if !folders.isEmpty {
                    // Changes before were not reported.
                    query.note(.anything)
                }
            } while !folders.isEmpty
            if let rest, rest <= 0 {
                return true
            }
            switch await observer.wait(microseconds: [partialLineTimeout, rest].compactMap { $0 }.min()) {
            case .changed(let changes):
                query.note(changes)
                partialLineTimeout = Self.partialDelay
            case .timeout:
                partialLineTimeout = nil
                if let partial = query.flushPartial() {
                    try await body(partial)
                }
            case .closed:
                return false
            }
        }
    }

    /// The first match of `wait`; nil when there is none within `microseconds`. Throws when there is no such VM then.
    public func match(_ wait: PatternWait, within microseconds: Int64?) async throws -> PatternWait.Match? {
        let clock = SystemClock()
        let start = clock.monotonicMicroseconds()
        func rest() -> Int64? { microseconds.map { $0 - (clock.monotonicMicroseconds() - start) } }
        while true {
            var folders: [String]
            repeat {
                if let match = try await observer.reading({ try wait.poll() }) {
                    return match
                }
                folders = wait.takeNewFolders()
                observer.observe(folders)
            } while !folders.isEmpty || (wait.isInterrupted && rest() ?? 1 > 0)
            if rest() ?? 1 <= 0 {
                return try wait.withoutMatch()
            }
            if await observer.wait(microseconds: rest()) == .closed {
                return nil
            }
        }
    }
}
