// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the sessions through the consoles' own sockets, so that descriptors remain for the guests.
///
/// Sessions through the API are not counted: the API has limits of its own.
final class SocketSessions: Sendable {
    /// Maximum number of sessions through one console's socket.
    static let perConsole = 16
    /// Maximum number of sessions through all sockets.
    private let total: Int

    private let count = Atomic<Int>(0)

    init(total: Int) {
        self.total = total
    }

    /// One session, counted until it is deinitialized.
    final class Slot: Sendable {
        private let sessions: SocketSessions

        fileprivate init(of sessions: SocketSessions) {
            self.sessions = sessions
        }

        deinit {
            sessions.count.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    /// A slot for another session through a console's socket, which has `others` already.
    func acquireSlot(beside others: Int) throws(SessionLimitReached) -> Slot {
        guard others < Self.perConsole else {
            throw SessionLimitReached(message: "this socket has \(others) sessions, the maximum")
        }
        let slot = Slot(of: self)
        guard count.wrappingAdd(1, ordering: .relaxed).newValue <= total else {
            throw SessionLimitReached(
                message: "the console sockets have \(total) sessions, the maximum"
            )
        }
        return slot
    }
}

/// The maximum number of sessions is reached.
struct SessionLimitReached: Error {
    let message: String
}
