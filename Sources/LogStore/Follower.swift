import LogModel
import Synchronization
import SystemIO

/// The one way to listen: a cursor over a stream, and "is there more".
///
/// To wait without losing anything: subscribe to `CommitBell` (in the daemon) or watch the stream's folder with
/// `DirectoryWatch` (in any other process) first, then call `next()` until it gives nil, then wait.
public final class Follower {
    private let reader: StreamReader
    /// What `next()` will begin at; a reader that comes back with it misses nothing and gets nothing twice.
    public private(set) var cursor: Cursor

    /// Follows `reader`'s stream from `cursor` on.
    public init(_ reader: StreamReader, from cursor: Cursor = .start) {
        self.reader = reader
        self.cursor = cursor
    }

    /// The next bytes and markers, at most a block of them; nil when all that is committed has been handed out.
    public func next() throws(SystemError) -> Batch? {
        guard let batch = try reader.batch(at: cursor) else {
            return nil
        }
        cursor = batch.next
        return batch
    }
}

/// Tells followers in this process that a stream has more.
///
/// Rung by the writer after each commit; when nobody has subscribed that costs one atomic load.
public final class CommitBell: Sendable {
    /// A subscription; ends when it goes.
    public final class Subscription: Sendable {
        fileprivate let bell: CommitBell
        fileprivate let number: UInt64
        fileprivate let stream: StreamID

        fileprivate init(bell: CommitBell, number: UInt64, stream: StreamID) {
            self.bell = bell
            self.number = number
            self.stream = stream
        }

        deinit {
            bell.unsubscribe(self)
        }
    }

    private struct Listeners {
        var next: UInt64 = 0
        var byStream: [StreamID: [UInt64: @Sendable () -> Void]] = [:]
    }

    private let listeners = Mutex(Listeners())
    private let count = Atomic<Int>(0)

    /// A bell nobody listens to.
    public init() {}

    /// Has `body` called, on the writer's thread, after each commit to `stream`: it must only wake somebody.
    public func subscribe(to stream: StreamID, _ body: @escaping @Sendable () -> Void) -> Subscription {
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
        let number = listeners.withLock { listeners in
            listeners.next += 1
            listeners.byStream[stream, default: [:]][listeners.next] = body
            return listeners.next
        }
        return Subscription(bell: self, number: number, stream: stream)
    }

    private func unsubscribe(_ subscription: Subscription) {
        listeners.withLock { listeners in
            listeners.byStream[subscription.stream]?[subscription.number] = nil
            if listeners.byStream[subscription.stream]?.isEmpty == true {
                listeners.byStream[subscription.stream] = nil
            }
        }
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    /// Wakes `stream`'s followers.
    public func ring(_ stream: StreamID) {
        guard count.load(ordering: .sequentiallyConsistent) > 0 else {
            return
        }
        let bodies = listeners.withLock { $0.byStream[stream].map { Array($0.values) } ?? [] }
        for body in bodies {
            body()
        }
    }
}
