import Synchronization

/// What one stream has done since the daemon began: written by its shard and its writer, read by anyone.
public final class StreamStatistics: Sendable {
    private let receivedCount = Atomic<UInt64>(0)
    private let storedCount = Atomic<UInt64>(0)
    private let droppedCount = Atomic<UInt64>(0)
    private let lastTime = Atomic<Int64>(0)

    init() {}

    /// Bytes read from the source.
    public var received: UInt64 { receivedCount.load(ordering: .relaxed) }
    /// Bytes committed to the store.
    public var stored: UInt64 { storedCount.load(ordering: .relaxed) }
    /// Bytes counted in gaps.
    public var dropped: UInt64 { droppedCount.load(ordering: .relaxed) }
    /// When the last bytes came, in microseconds since the Unix epoch; 0: never.
    public var lastReceived: Int64 { lastTime.load(ordering: .relaxed) }

    func receive(_ bytes: Int, at time: Int64) {
        receivedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        lastTime.store(time, ordering: .relaxed)
    }

    func store(_ bytes: Int) {
        storedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    }

    func drop(_ bytes: Int) {
        droppedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    }
}

/// What is wrong just now, by subject (a stream as `vm/stream`, a file, a part of the daemon): shown by `guestlog status` and beside the VM concerned.
public final class Problems: Sendable {
    private let current = Mutex<[String: String]>([:])

    init() {}

    /// All problems: subject and what is wrong with it.
    public var all: [(subject: String, problem: String)] {
        current.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.subject < $1.subject }
    }

    /// What is wrong with one of the streams of the VM of that name, if anything.
    public func problem(ofVM name: String) -> String? {
        all.first { $0.subject.hasPrefix(name + "/") }?.problem
    }

    /// Says what is wrong with `subject`; whether that is news.
    @discardableResult
    public func raise(_ subject: String, _ problem: String) -> Bool {
        current.withLock { $0.updateValue(problem, forKey: subject) } != problem
    }

    /// Says that `subject` is well again; whether it was not.
    @discardableResult
    public func clear(_ subject: String) -> Bool {
        current.withLock { $0.removeValue(forKey: subject) } != nil
    }
}
