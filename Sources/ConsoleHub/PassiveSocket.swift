import Glibc
import SystemIO

/// A listening socket on a loop: hands each connection to its owner.
///
/// When descriptors run out it is disarmed for a second: a level-triggered listener that cannot accept would spin.
/// Its file is made and removed by a thread that may wait for the file system; all between is the loop's.
final class PassiveSocket: EventHandler, @unchecked Sendable {
    // Sendable because it is handed from the thread that made it to the loop's, and back when it has ended.

    let path: String
    private let socket: Descriptor
    private var registration: (loop: EventLoop, token: EventLoop.Token)?
    private var onConnection: (consuming Descriptor) -> Void = { _ in }

    /// How long it rests when descriptors run out, in microseconds.
    private static let rest: Int64 = 1_000_000

    /// A socket at `path`, to which one can connect already.
    init(path: String) throws(SystemError) {
        self.path = path
        socket = try UnixSocket.listen(at: path)
    }

    /// Begins to hand out connections.
    func begin(on loop: EventLoop, _ onConnection: @escaping (consuming Descriptor) -> Void) throws(SystemError) {
        self.onConnection = onConnection
        registration = (loop, try loop.add(socket.raw, for: .readable, self))
    }

    func handle(_ readiness: Readiness) {
        do throws(SystemError) {
            if let connection = try UnixSocket.accept(socket.raw) {
                onConnection(connection)
            }
        } catch {
            guard let (loop, token) = registration else {
                return
            }
            loop.modify(token, for: [])
            loop.schedule(afterMicroseconds: Self.rest) { [weak self] in
                if let (loop, token) = self?.registration {
                    loop.modify(token, for: .readable)
                }
            }
        }
    }

    /// Hands out no more connections.
    func end() {
        if let (loop, token) = registration {
            loop.remove(token)
        }
        registration = nil
        onConnection = { _ in }
    }

    /// Removes the socket's file.
    func removeFile() {
        unlink(path)
    }
}
