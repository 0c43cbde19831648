// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A connection whose other end has no VMM yet. Lives on the console's shard.
///
/// A socket's waits in the listener's backlog while the VMM serves another client. The kernel does not report that it
/// was accepted, so it is asked, at growing intervals; the first byte, or the end of the listener, is noticed at once. A
/// named pipe waits for the first byte of a writer, or for its end.
final class PendingConnection: EventHandler {
    let connection: Connection
    private let loop: EventLoop
    private let endpoint: Endpoint
    /// Called once, when the wait is longer than a VMM takes that serves no other client.
    private let onDelay: () -> Void
    /// Called at the end of the wait: with the accepted connection, or the reason why it never will be.
    private let onEnd: (Result<Connection, SystemError>) -> Void
    private var token: EventLoop.Token?
    private var timer: EventLoop.TimerToken?
    private var backoff = Backoff(first: 1000, doublingLimit: 1_000_000, longest: 5_000_000)
    private var waited: Int64 = 0
    private var isDelayed = false

    /// After this time, in microseconds, the VMM serves another client.
    static let delayLimit: Int64 = 500_000

    /// Begins to wait. Throws when the loop refuses the descriptor.
    init(
        _ connection: Connection,
        to endpoint: Endpoint,
        on loop: EventLoop,
        onDelay: @escaping () -> Void,
        onEnd: @escaping (Result<Connection, SystemError>) -> Void
    ) throws(SystemError) {
        self.connection = connection
        self.endpoint = endpoint
        self.loop = loop
        self.onDelay = onDelay
        self.onEnd = onEnd
        token = try loop.add(connection.descriptor.raw, for: .readable, self)
        if !endpoint.isPipe {
            askLater()
        }
    }

    /// Ends the wait without a result.
    func end() {
        if let token {
            loop.remove(token)
        }
        if let timer {
            loop.cancel(timer)
        }
        (token, timer) = (nil, nil)
    }

    private func end(_ result: Result<Connection, SystemError>) {
        end()
        onEnd(result)
    }

    private func askLater() {
        let delay = backoff.next()
        timer = loop.schedule(afterMicroseconds: delay) { [weak self] in
            self?.timer = nil
            self?.ask(after: delay)
        }
    }

    private func ask(after delay: Int64) {
        guard connection.isPending(to: endpoint) else {
            return end(.success(connection))
        }
        waited += delay
        if waited >= Self.delayLimit, !isDelayed {
            isDelayed = true
            onDelay()
        }
        askLater()
    }

    func handle(_ readiness: Readiness) {
        guard !endpoint.isPipe else {
            return end(.success(connection))
        }
        var byte: UInt8 = 0
        let count = recv(connection.descriptor.raw, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        if count > 0 {
            end(.success(connection))
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            end(.failure(SystemError("connect", endpoint.path ?? "\(endpoint)", code: count == 0 ? ECONNRESET : errno)))
        }
    }
}

extension Connection {
    /// Whether it is known that no VMM is at the other end yet.
    func isPending(to endpoint: Endpoint) -> Bool {
        endpoint.isPipe || SocketDiagnostics.isAccepted(descriptor.raw) == false
    }
}
