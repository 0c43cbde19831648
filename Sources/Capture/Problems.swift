// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The current problems by subject (a stream as `vm/stream`, a file, a part of the daemon), shown by `guestlog status`
/// and with the VM concerned.
public final class Problems: Sendable {
    private let current = Mutex<[String: String]>([:])

    public init() {}

    /// All problems.
    public var all: [(subject: String, problem: String)] {
        current.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.subject < $1.subject }
    }

    /// The problem of a stream of the VM of that name, if any.
    public func problem(ofVM name: String) -> String? {
        all.first { $0.subject.hasPrefix(name + "/") }?.problem
    }

    /// Sets the problem of `subject`; returns whether it is new.
    @discardableResult
    public func raise(_ subject: String, _ problem: String) -> Bool {
        current.withLock { $0.updateValue(problem, forKey: subject) } != problem
    }

    /// Clears the problem of `subject`; returns whether there was one.
    @discardableResult
    public func clear(_ subject: String) -> Bool {
        current.withLock { $0.removeValue(forKey: subject) } != nil
    }
}
