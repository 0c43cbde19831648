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
    private let reasons: AsyncStream<WakeReason>
    private let continuation: AsyncStream<WakeReason>.Continuation
    private let subscriptions = NIOLockedValueBox<[String?: CommitNotifier.Subscription]>([:])

    /// The longest single wait, in microseconds: a day.
    private static let longest: Int64 = 86_400_000_000

    init(_ notifier: CommitNotifier, _ reader: RequestReader, until closed: EventLoopFuture<Void>) {
        self.notifier = notifier
        self.reader = reader
        self.closed = closed
        (reasons, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let continuation = continuation
        closed.whenComplete { _ in
            continuation.yield(.closed)
            continuation.finish()
        }
    }

    func observe(_ folders: [String]) {
        let continuation = continuation
        subscriptions.withLockedValue { subscriptions in
            // The first component is the VM's folder; the root stands for all VMs.
            for vm in Set(folders.map { $0.split(separator: "/").first.map { String($0) } })
            where subscriptions[vm] == nil {
                subscriptions[vm] = notifier.subscribe(to: vm) { continuation.yield(.commit) }
            }
        }
    }

    func wait(microseconds: Int64?) async -> WakeReason {
        let continuation = continuation
        let timer = microseconds.map { limit in
            closed.eventLoop.scheduleTask(in: .microseconds(min(limit, Self.longest))) {
                _ = continuation.yield(.timeout)
            }
        }
        defer { timer?.cancel() }
        for await item in reasons {
            return item
        }
        return .closed
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await reader.read(body)
    }
}
