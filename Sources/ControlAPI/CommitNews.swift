import LogStore
import NIOConcurrencyHelpers
import NIOCore
import Query

/// Tells one request of commits, until its connection is closed.
final class CommitNews: StoreListener {
    private let bell: CommitBell
    private let reader: RequestReader
    private let closed: EventLoopFuture<Void>
    private let news: AsyncStream<News>
    private let teller: AsyncStream<News>.Continuation
    private let subscriptions = NIOLockedValueBox<[String?: CommitBell.Subscription]>([:])

    /// Longest that is waited at once, in microseconds: a day.
    private static let longest: Int64 = 86_400_000_000

    init(_ bell: CommitBell, _ reader: RequestReader, until closed: EventLoopFuture<Void>) {
        self.bell = bell
        self.reader = reader
        self.closed = closed
        (news, teller) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let teller = teller
        closed.whenComplete { _ in
            teller.yield(.closed)
            teller.finish()
        }
    }

    func listen(in folders: [String]) {
        let teller = teller
        subscriptions.withLockedValue { subscriptions in
            // A folder is a VM's or one in it; the root is all of them.
            for vm in Set(folders.map { $0.split(separator: "/").first.map { String($0) } })
            where subscriptions[vm] == nil {
                subscriptions[vm] = bell.subscribe(to: vm) { teller.yield(.commit) }
            }
        }
    }

    func wait(microseconds: Int64?) async -> News {
        let teller = teller
        let timer = microseconds.map { limit in
            closed.eventLoop.scheduleTask(in: .microseconds(min(limit, Self.longest))) { _ = teller.yield(.timeout) }
        }
        defer { timer?.cancel() }
        for await item in news {
            return item
        }
        return .closed
    }

    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await reader.read(body)
    }
}
