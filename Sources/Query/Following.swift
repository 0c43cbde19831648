import LogModel
import SystemIO

/// How a follower hears of news in the store: in the daemon by the writer's notifier, elsewhere by inotify.
public protocol StoreObserver {
    /// Listens in more of the store's folders, named from its root (`""` is the root itself). What came before is not
    /// told of.
    func observe(_ folders: [String])
    /// Waits for news, no longer than `microseconds` when given; it may come back early.
    func wait(microseconds: Int64?) async -> WakeReason
    /// Runs what reads files where that may wait for them.
    func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}

/// What ended a wait.
public enum WakeReason: Hashable, Sendable {
    /// Something was committed, or may have been.
    case commit
    /// Nothing was until the time was over.
    case timeout
    /// Nobody listens any more.
    case closed
}

/// Asks a question again and again as more is committed: read to the end, listen wherever is new, read again, wait.
public struct Following<Observer: StoreObserver> {
    private let observer: Observer

    /// An unfinished line is shown to a follower after this many microseconds.
    private static var partialDelay: Int64 { 100_000 }
    /// What was received until a moment is committed so many microseconds later at the latest.
    private static var commitDelay: Int64 { 500_000 }

    /// A follower that `listener` wakes.
    public init(_ observer: Observer) {
        self.observer = observer
    }

    /// Hands the answer to `body`, chunk by chunk, until nothing can follow; false when the listener was closed first.
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
            } while !folders.isEmpty
            if let rest, rest <= 0 {
                return true
            }
            switch await observer.wait(microseconds: [partialLineTimeout, rest].compactMap { $0 }.min()) {
            case .commit:
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

    /// The first match of `wait`, nil when there is none within `microseconds`. Throws when there is no such VM then.
    public func match(_ wait: PatternWait, within microseconds: Int64?) async throws -> PatternWait.Match? {
        let clock = SystemClock()
        let start = clock.monotonicMicroseconds()
        while true {
            var folders: [String]
            repeat {
                if let match = try await observer.reading({ try wait.poll() }) {
                    return match
                }
                folders = wait.takeNewFolders()
                observer.observe(folders)
            } while !folders.isEmpty || wait.isInterrupted
            let rest = microseconds.map { $0 - (clock.monotonicMicroseconds() - start) }
            if rest.map({ $0 <= 0 }) ?? false {
                return try wait.withoutMatch()
            }
            if await observer.wait(microseconds: rest) == .closed {
                return nil
            }
        }
    }
}
