// SPDX-License-Identifier: Apache-2.0

import LogStore
import NIOCore
import Query

/// Delivers commit notifications to one request, until its connection is closed.
final class CommitNotifications: StoreObserver {
    private let subscriptions: CommitSubscriptions
    private let reader: RequestReader
    private let closed: EventLoopFuture<Void>
    private let wakeUps: AsyncStream<WakeUp>
    private let continuation: AsyncStream<WakeUp>.Continuation

    private enum WakeUp {
        case changeOrTimer, closed
    }

    /// The longest single wait, in microseconds: a day.
    private static let longest: Int64 = 86_400_000_000

    init(_ notifier: CommitNotifier, _ reader: RequestReader, until closed: EventLoopFuture<Void>) {
        self.reader = reader
        self.closed = closed
        let (wakeUps, continuation) = AsyncStream.makeStream(of: WakeUp.self, bufferingPolicy: .bufferingNewest(1))
        (self.wakeUps, self.continuation) = (wakeUps, continuation)
        subscriptions = CommitSubscriptions(to: notifier) { continuation.yield(.changeOrTimer) }
        closed.whenComplete { _ in
            continuation.yield(.closed)
            continuation.finish()
        }
    }

    func observe(_ folders: [String]) {
        subscriptions.observe(folders)
    }

    func wait(microseconds: Int64?) async -> WakeReason {
        if let reason = changed() {
            return reason
        }
        let continuation = continuation
        let timer = microseconds.map { limit in
            closed.eventLoop.scheduleTask(in: .microseconds(min(limit, Self.longest))) {
                _ = continuation.yield(.changeOrTimer)
            }
        }
        defer { timer?.cancel() }
        for await wakeUp in wakeUps {
            // A timer may have replaced the wake-up of a change, never the change itself.
            return wakeUp == .closed ? .closed : changed() ?? .timeout
        }
        return .closed
    }

    private func changed() -> WakeReason? {
        let changes = subscriptions.takeChanges()
        return changes == .nothing ? nil : .changed(changes)
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await reader.read(body)
    }
}
