import Synchronization

/// What is wrong just now, by subject (a stream as `vm/stream`, a file, a part of the daemon): shown by `guestlog status`
/// and beside the VM concerned.
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
