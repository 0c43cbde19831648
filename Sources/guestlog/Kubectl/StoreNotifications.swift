// SPDX-License-Identifier: Apache-2.0

import LogStore
import Query
import Synchronization

/// Reports the commits of this process to a follower in it, without a thread that waits.
final class StoreNotifications: StoreObserver {
    private let notifier: CommitNotifier
    private let wakeUps: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let subscriptions = Mutex<[String?: CommitNotifier.Subscription]>([:])
    private let state: State

    /// What has changed since the last wait.
    private final class State: Sendable {
        private let changes = Mutex(StoreChanges.nothing)

        func add(_ new: StoreChanges) {
            changes.withLock { $0 = $0.union(new) }
        }

        func take() -> StoreChanges {
            changes.withLock { changes in
                defer { changes = .nothing }
                return changes
            }
        }
    }

    init(_ notifier: CommitNotifier) {
        self.notifier = notifier
        state = State()
        (wakeUps, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func observe(_ folders: [String]) {
        let (continuation, state) = (continuation, state)
        subscriptions.withLock { subscriptions in
            // The first component is the VM's folder; the root stands for all VMs.
            for vm in Set(folders.map { $0.split(separator: "/").first.map { String($0) } })
            where subscriptions[vm] == nil {
                subscriptions[vm] = notifier.subscribe(to: vm) { new in
                    state.add(new)
                    continuation.yield()
                }
            }
        }
    }

    func wait(microseconds: Int64?) async -> WakeReason {
        let timer = microseconds.map { limit in
            Task { [continuation] in
                try? await Task.sleep(for: .microseconds(limit))
                continuation.yield()
            }
        }
        defer { timer?.cancel() }
        let changes = state.take()
        if changes == .nothing {
            for await _ in wakeUps {
                break
            }
        }
        guard !Task.isCancelled else {
            return .closed
        }
        let found = changes.union(state.take())
        return found == .nothing ? .timeout : .changed(found)
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try body()
    }
}
