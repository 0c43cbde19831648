// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The log manager's sockets: accepts clients of the permitted user, up to a limit.
public final class LogManagerServer {
    private let manager: LogManager
    private let user: UInt32
    private let limit: Int
    private let onRefused: (String) -> Void
    private var sockets: [ListeningSocket] = []
    private var connections: [ObjectIdentifier: LogManagerConnection] = [:]
    private var idle: EventLoop.TimerToken?
    private let idleTime: Int64?
    private let onIdle: () -> Void

    /// A server of `manager` for clients of the user `user`, at most `limit` at once.
    ///
    /// With an `idleTime`, in microseconds, `onIdle` is called after that time without clients and open logs. Runs on
    /// the manager's loop.
    public init(
        _ manager: LogManager,
        user: UInt32,
        limit: Int,
        idleTime: Int64? = nil,
        onRefused: @escaping (String) -> Void,
        onIdle: @escaping () -> Void = {}
    ) {
        self.manager = manager
        self.user = user
        self.limit = limit
        self.idleTime = idleTime
        self.onRefused = onRefused
        self.onIdle = onIdle
        manager.onChange = { [weak self] in self?.countIdleTime() }
    }

    /// Begins to accept clients at `socket`.
    public func listen(on socket: ListeningSocket) throws(SystemError) {
        try socket.begin(on: manager.loop) { [unowned self] connection in connect(connection) }
        sockets.append(socket)
        countIdleTime()
    }

    /// Stops accepting clients, and disconnects the present ones.
    public func stop() {
        sockets.forEach { $0.end() }
        sockets.removeAll()
        connections.values.forEach { $0.end() }
        connections.removeAll()
    }

    private func connect(_ socket: consuming Descriptor) {
        guard let peer = try? UnixSocket.peer(of: socket.raw), peer.user == user else {
            return onRefused("a client was refused: only user \(user) may connect")
        }
        let connection = LogManagerConnection(socket, manager: manager) { [weak self] in self?.ended($0) }
        do throws(SystemError) {
            try connection.begin()
        } catch {
            return onRefused("a client cannot be served: \(error)")
        }
        connections[ObjectIdentifier(connection)] = connection
        if connections.count >= limit {
            sockets.forEach { $0.pause(true) }
        }
        countIdleTime()
    }

    private func ended(_ connection: LogManagerConnection) {
        if connections.count == limit {
            sockets.forEach { $0.pause(false) }
        }
        connections[ObjectIdentifier(connection)] = nil
        countIdleTime()
    }

    private func countIdleTime() {
        if let idle {
            manager.loop.cancel(idle)
        }
        idle = nil
        guard let idleTime, connections.isEmpty, manager.openCount == 0 else {
            return
        }
        idle = manager.loop.schedule(afterMicroseconds: idleTime) { [weak self] in self?.onIdle() }
    }
}
