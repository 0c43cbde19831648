// SPDX-License-Identifier: Apache-2.0

import LogStore
import Query

/// Reports the commits of this process to a follower in it, without a thread that waits.
final class StoreNotifications: StoreObserver {
    private let subscriptions: CommitSubscriptions
    private let wakeUps: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ notifier: CommitNotifier) {
        let (wakeUps, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (self.wakeUps, self.continuation) = (wakeUps, continuation)
        subscriptions = CommitSubscriptions(to: notifier) { continuation.yield() }
    }

    func observe(_ folders: [String]) {
        subscriptions.observe(folders)
    }

    func wait(microseconds: Int64?) async -> WakeReason {
        let timer = microseconds.map { limit in
            Task { [continuation] in
                try? await Task.sleep(for: .microseconds(limit))
                continuation.yield()
            }
        }
        defer { timer?.cancel() }
        let changes = subscriptions.takeChanges()
        if changes == .nothing {
            for await _ in wakeUps {
                break
            }
        }
        guard !Task.isCancelled else {
            return .closed
        }
        let found = changes.union(subscriptions.takeChanges())
        return found == .nothing ? .timeout : .changed(found)
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try body()
    }
}
