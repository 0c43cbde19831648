// SPDX-License-Identifier: Apache-2.0

public import LogModel
import Synchronization
public import SystemIO

/// The current problems, shown by `guestlog status` and with the VM concerned.
public final class Problems: Sendable {
    /// What has a problem: a stream as `vm/stream`, a file, a part of the daemon.
    public struct Subject: Hashable, Sendable {
        public let text: String
        /// The folder of the VM concerned: two VMs can have the same name.
        let folder: String?

        public init(_ text: String, of vm: VMIdentity? = nil) {
            self.text = text
            folder = vm?.withoutInstance.directoryName
        }

        /// A stream.
        public init(_ key: StreamKey) {
            self.init("\(key)", of: key.vm)
        }
    }

    private let current = Mutex<[Subject: String]>([:])

    public init() {}

    /// All problems.
    public var all: [(subject: String, problem: String)] {
        current.withLock { $0.map { ($0.key.text, $0.value) } }.sorted { $0 < $1 }
    }

    /// A problem of `vm`, if there is one.
    public func problem(of vm: VMIdentity) -> String? {
        let folder = vm.withoutInstance.directoryName
        return current.withLock { current in
            current.filter { $0.key.folder == folder }.min { $0.key.text < $1.key.text }?.value
        }
    }

    /// Sets the problem of `subject`; returns whether it is new.
    @discardableResult
    public func raise(_ subject: Subject, _ problem: String) -> Bool {
        current.withLock { $0.updateValue(problem, forKey: subject) } != problem
    }

    /// The same for a subject that concerns no VM.
    @discardableResult
    public func raise(_ subject: String, _ problem: String) -> Bool {
        raise(Subject(subject), problem)
    }

    /// Sets the problem of `subject`, and logs it at `level` if it is new.
    public func report(_ subject: Subject, _ problem: String, _ level: DiagnosticLevel, to diagnostics: Diagnostics) {
        if raise(subject, problem) {
            diagnostics.log(level, "\(subject.text): \(problem)")
        }
    }

    /// The same for a subject that concerns no VM.
    public func report(_ subject: String, _ problem: String, _ level: DiagnosticLevel, to diagnostics: Diagnostics) {
        report(Subject(subject), problem, level, to: diagnostics)
    }

    @discardableResult
    public func clear(_ subject: String) -> String? {
        clear(Subject(subject))
    }

    /// Clears the problems of the VM in `folder`.
    func clear(folder: String) {
        current.withLock { current in current = current.filter { $0.key.folder != folder } }
    }

    /// Clears the problem of `subject`, and returns it; nil when there was none.
    @discardableResult
    public func clear(_ subject: Subject) -> String? {
        current.withLock { $0.removeValue(forKey: subject) }
    }
}
