import Glibc
import SystemIO

/// A listening socket on a loop: hands each connection to its owner.
///
/// When descriptors run out it is disarmed for a second: a level-triggered listener that cannot accept would spin.
final class PassiveSocket: EventHandler {
    private let path: String
    private let socket: Descriptor
    private let loop: EventLoop
    private let onConnection: (consuming Descriptor) -> Void
    private var token: EventLoop.Token?

    /// How long it rests when descriptors run out, in microseconds.
    private static let rest: Int64 = 1_000_000

    init(path: String, loop: EventLoop, _ onConnection: @escaping (consuming Descriptor) -> Void) throws(SystemError) {
        self.path = path
        self.loop = loop
        self.onConnection = onConnection
        socket = try UnixSocket.listen(at: path)
        token = try loop.add(socket.raw, for: .readable, self)
    }

    func handle(_ readiness: Readiness) {
        do throws(SystemError) {
            if let connection = try UnixSocket.accept(socket.raw) {
                onConnection(connection)
            }
        } catch {
            guard let token else {
                return
            }
            loop.modify(token, for: [])
            loop.schedule(afterMicroseconds: Self.rest) { [weak self] in
                if let self, let token = self.token {
                    self.loop.modify(token, for: .readable)
                }
            }
        }
    }

    /// Stops listening and removes the socket's file.
    func end() {
        if let token {
            loop.remove(token)
            unlink(path)
        }
        token = nil
    }
}
