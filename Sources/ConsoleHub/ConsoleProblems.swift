// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import Synchronization
import SystemIO

/// Reports, in `guestlog status` and the log, why consoles are not captured.
final class ConsoleProblems: Sendable {
    private let problems: Problems
    private let diagnostics: Diagnostics
    /// The subjects of conflicts, by the endpoint of the console that is not captured.
    private let conflicts = Mutex<[Endpoint: Set<Problems.Subject>]>([:])

    init(_ problems: Problems, _ diagnostics: Diagnostics) {
        self.problems = problems
        self.diagnostics = diagnostics
    }

    /// The subject of a console's problems: its VM, stream and endpoint.
    private static func subject(of definition: ConsoleHub.Definition) -> Problems.Subject {
        Problems.Subject("\(definition.key) at \(definition.endpoint)", of: definition.vm)
    }

    private func raise(_ subject: Problems.Subject, _ reason: String) {
        if problems.raise(subject, "not captured: \(reason)") {
            diagnostics.log(.warning, "console \(subject.text) is not captured: \(reason)")
        }
    }

    /// Reports a conflict. The same console again is not a conflict, nor is one that is joined on demand besides the
    /// captured one.
    func raise(_ conflict: ConsoleConflict, of definition: ConsoleHub.Definition) {
        let isSame = conflict.kind == .stream && conflict.other.endpoint == definition.endpoint
        guard !isSame, !definition.isOnDemand else {
            return
        }
        let subject = Self.subject(of: definition)
        conflicts.withLock { _ = $0[definition.endpoint, default: []].insert(subject) }
        raise(subject, "\(conflict)")
    }

    /// Reports that `limit` consoles are captured, the maximum.
    func raise(limit: Int, of definition: ConsoleHub.Definition) {
        raise(
            Self.subject(of: definition),
            "the limit of open files allows \(limit) consoles only; raise it (LimitNOFILE= in the unit, ulimit -n)"
        )
    }

    /// Clears the conflicts of consoles at endpoints that `shouldRemove` accepts.
    func clearConflicts(where shouldRemove: (Endpoint) -> Bool) {
        let removed = conflicts.withLock { conflicts in
            let removed = conflicts.filter { shouldRemove($0.key) }
            removed.keys.forEach { conflicts[$0] = nil }
            return removed
        }
        removed.values.joined().forEach { problems.clear($0) }
    }

    /// Reports the result of opening a console. An error is a problem unless it only shows that no VMM listens, which
    /// is one when it lasts (`raise(_:of:)`).
    func note(_ result: Result<Connection, SystemError>, of definition: ConsoleHub.Definition) {
        switch result {
        case .failure(let error) where [ECONNREFUSED, ECONNRESET].contains(error.code): break
        // The listener's backlog is full.
        case .failure(let error) where error.code == EAGAIN: raiseUnaccepted(definition)
        case .failure(let error) where error.code != ENOENT: raise("\(error)", of: definition)
        case .success, .failure: clear(of: definition)
        }
    }

    /// Reports why a console cannot be captured. Clients of a console on demand are told instead.
    func raise(_ reason: String, of definition: ConsoleHub.Definition) {
        if !definition.isOnDemand {
            raise(Self.subject(of: definition), reason)
        }
    }

    /// Reports that the VMM does not accept the connection.
    func raiseUnaccepted(_ definition: ConsoleHub.Definition) {
        raise("the VMM serves another client and has not accepted this connection; end that client", of: definition)
    }

    /// Clears the console's problems.
    func clear(of definition: ConsoleHub.Definition) {
        problems.clear(Self.subject(of: definition))
    }
}
