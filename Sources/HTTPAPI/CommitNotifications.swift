// SPDX-License-Identifier: Apache-2.0

import LogStore
import NIOConcurrencyHelpers
import NIOCore
import Query

/// Delivers commit notifications to one request, until its connection is closed.
final class CommitNotifications: StoreObserver {
    private let notifier: CommitNotifier
    private let reader: RequestReader
    private let closed: EventLoopFuture<Void>
    private let wakeUps: AsyncStream<WakeReason>
    private let continuation: AsyncStream<WakeReason>.Continuation
    /// What has changed since the last wait.
    private let changes = NIOLockedValueBox(StoreChanges.nothing)
    private let subscriptions = NIOLockedValueBox<[String?: CommitNotifier.Subscription]>([:])

    /// The longest single wait, in microseconds: a day.
    private static let longest: Int64 = 86_400_000_000

    init(_ notifier: CommitNotifier, _ reader: RequestReader, until closed: EventLoopFuture<Void>) {
        self.notifier = notifier
        self.reader = reader
        self.closed = closed
        (wakeUps, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let continuation = continuation
        closed.whenComplete { _ in
            continuation.yield(.closed)
            continuation.finish()
        }
    }

    func observe(_ folders: [String]) {
        let (continuation, changes) = (continuation, changes)
        subscriptions.withLockedValue { subscriptions in
            // The first component is the VM's folder; the root stands for all VMs.
            for vm in Set(folders.map { $0.split(separator: "/").first.map { String($0) } })
            where subscriptions[vm] == nil {
                subscriptions[vm] = notifier.subscribe(to: vm) { new in
                    changes.withLockedValue { $0 = $0.union(new) }
                    continuation.yield(.changed(new))
                }
            }
        }
    }

    func wait(microseconds: Int64?) async -> WakeReason {
        if let reason = changed() {
            return reason
        }
        let continuation = continuation
        let timer = microseconds.map { limit in
            closed.eventLoop.scheduleTask(in: .microseconds(min(limit, Self.longest))) {
                _ = continuation.yield(.timeout)
            }
        }
        defer { timer?.cancel() }
        for await reason in wakeUps {
            // A timer may have replaced the wake-up of a change, never the change itself.
            return reason == .closed ? .closed : changed() ?? .timeout
        }
        return .closed
    }

    private func changed() -> WakeReason? {
        let changes = changes.withLockedValue { changes in
            defer { changes = .nothing }
            return changes
        }
        return changes == .nothing ? nil : .changed(changes)
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await reader.read(body)
    }
}
