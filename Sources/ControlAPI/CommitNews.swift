import LogModel
import LogStore
import NIOConcurrencyHelpers
import NIOCore

/// Tells one asynchronous follower that its streams have more.
///
/// Listen first, then read to the end, then wait: whatever is committed in between ends the wait at once.
final class CommitNews: Sendable {
    enum News: Sendable {
        case commit
        case timeout
        /// The connection is gone: nobody waits any more.
        case closed
    }

    private let bell: CommitBell
    private let closed: EventLoopFuture<Void>
    private let news: AsyncStream<News>
    private let teller: AsyncStream<News>.Continuation
    private let subscriptions = NIOLockedValueBox<[StreamID: CommitBell.Subscription]>([:])

    init(_ bell: CommitBell, until closed: EventLoopFuture<Void>) {
        self.bell = bell
        self.closed = closed
        (news, teller) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let teller = teller
        closed.whenComplete { _ in
            teller.yield(.closed)
            teller.finish()
        }
    }

    /// Listens to `streams` too.
    func listen(to streams: [StreamID]) {
        let teller = teller
        subscriptions.withLockedValue { subscriptions in
            for stream in streams where subscriptions[stream] == nil {
                subscriptions[stream] = bell.subscribe(to: stream) { teller.yield(.commit) }
            }
        }
    }

    /// Waits for news, no longer than `milliseconds` when given.
    func wait(milliseconds: Int? = nil) async -> News {
        let teller = teller
        let timer = milliseconds.map { limit in
            closed.eventLoop.scheduleTask(in: .milliseconds(Int64(limit))) { _ = teller.yield(.timeout) }
        }
        defer { timer?.cancel() }
        for await item in news {
            return item
        }
        return .closed
    }
}

/// A value that is used by one thread at a time, handed from one to the next.
final class Handed<Value>: @unchecked Sendable {
    // Sendable because its only users await one another: each blocking call ends before the next begins.

    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
