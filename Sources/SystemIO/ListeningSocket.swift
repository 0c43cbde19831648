// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A listening socket on a loop: passes each connection to its owner.
///
/// When descriptors run out it is disabled for a second: a level-triggered listener that cannot accept would spin. Its
/// file is created and removed by a thread that may block on the file system; everything else happens on the loop.
public final class ListeningSocket: EventHandler, @unchecked Sendable {
    // Sendable because it is passed from the thread that made it to the loop's, and back when it has ended.

    public let path: String
    private let socket: Descriptor
    private var registration: (loop: EventLoop, token: EventLoop.Token)?
    private var onConnection: (consuming Descriptor) -> Void = { _ in }
    /// Whether the owner wants no connections at present.
    private var isPaused = false
    /// Whether descriptors have run out within the last second.
    private var isExhausted = false

    /// The length of the pause when descriptors run out, in microseconds.
    private static let pauseTime: Int64 = 1_000_000

    /// A socket at `path` with permissions `mode`, to which clients can connect already.
    public init(path: String, mode: UInt32 = 0o660) throws(SystemError) {
        self.path = path
        socket = try UnixSocket.listen(at: path, mode: mode)
    }

    /// A socket that listens already, known as `path`.
    public init(_ socket: consuming Descriptor, path: String) {
        self.path = path
        self.socket = socket
    }

    /// The listening socket's number, valid as long as this object.
    public var descriptor: Int32 { socket.raw }

    /// A copy of the listening socket, for another process.
    public func duplicate() throws(SystemError) -> Descriptor {
        try socket.duplicate()
    }

    public func begin(on loop: EventLoop, _ onConnection: @escaping (consuming Descriptor) -> Void) throws(SystemError)
    {
        self.onConnection = onConnection
        registration = (loop, try loop.add(socket.raw, for: .readable, self))
    }

    public func handle(_ readiness: Readiness) {
        do throws(SystemError) {
            if let connection = try UnixSocket.accept(socket.raw) {
                onConnection(connection)
            }
        } catch {
            isExhausted = true
            listen()
            registration?.loop.schedule(afterMicroseconds: Self.pauseTime) { [weak self] in
                self?.isExhausted = false
                self?.listen()
            }
        }
    }

    /// Stops accepting connections, which wait in the backlog, or resumes.
    public func pause(_ isPaused: Bool) {
        self.isPaused = isPaused
        listen()
    }

    private func listen() {
        if let (loop, token) = registration {
            loop.modify(token, for: isPaused || isExhausted ? [] : .readable)
        }
    }

    /// Stops accepting connections for good.
    public func end() {
        if let (loop, token) = registration {
            loop.remove(token)
        }
        registration = nil
        onConnection = { _ in }
    }

    public func removeFile() {
        unlink(path)
    }
}
