import Synchronization

/// Counts the sessions of those who connect to the consoles' own sockets, so that descriptors remain for the guests.
///
/// Sessions through the API are not counted here: it has limits of its own.
final class SocketSessions: Sendable {
    /// Most sessions by the socket of one console.
    static let perConsole = 16
    /// Most sessions by all sockets.
    private let total: Int

    private let count = Atomic<Int>(0)

    init(total: Int) {
        self.total = total
    }

    /// One session; it counts until this goes.
    final class Slot: Sendable {
        private let sessions: SocketSessions

        fileprivate init(of sessions: SocketSessions) {
            self.sessions = sessions
        }

        deinit {
            sessions.count.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    /// A slot for one more session by a console's socket, `others` of which it has already.
    func acquireSlot(beside others: Int) throws(SessionLimitReached) -> Slot {
        guard others < Self.perConsole else {
            throw SessionLimitReached(message: "this socket has \(others) sessions, the most it can have")
        }
        let slot = Slot(of: self)
        guard count.wrappingAdd(1, ordering: .relaxed).newValue <= total else {
            throw SessionLimitReached(
                message: "the console sockets have \(total) sessions, the most they can have together"
            )
        }
        return slot
    }
}

/// There are as many sessions as there can be.
struct SessionLimitReached: Error {
    let message: String
}
