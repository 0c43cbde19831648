// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Keeps a connection to a guest whose VMM listens: to its virtio-serial port, or to a port of its vsock device through
/// the VMM's socket. It connects again, with growing delays, whenever the connection ends. Lives on the collector's loop.
final class GuestDialer: EventHandler {
    private unowned let loop: EventLoop
    private let path: String
    /// The guest's vsock port; nil: the socket is the connection.
    private let port: UInt32?
    /// The part of the path in which links are followed; nil: all of it.
    private let trustedFolder: String?
    /// Takes a connection that is made.
    private let onConnection: (consuming Descriptor) -> Void
    private var backoff = Backoff()
    /// A connection before the VMM has said that the guest accepts it, its registration, and the answer so far.
    private var pending: Descriptor?
    private var pendingToken: EventLoop.Token?
    private var answer: [UInt8] = []
    private var isEnded = false

    /// Maximum size of the VMM's answer, `OK PORT` and a line feed, in bytes.
    private static let answerLimit = 64
    /// The time that it may take, in microseconds.
    private static let answerTime: Int64 = 2_000_000

    init(
        _ path: String,
        port: UInt32? = nil,
        trustedFolder: String? = nil,
        on loop: EventLoop,
        onConnection: @escaping (consuming Descriptor) -> Void
    ) {
        self.path = path
        self.port = port
        self.trustedFolder = trustedFolder
        self.loop = loop
        self.onConnection = onConnection
    }

    /// Connects now.
    func dial() {
        guard !isEnded else {
            return
        }
        do throws(SystemError) {
            let socket = try PathHandle(path, trusted: trustedFolder).connect()
            if let port {
                try request(port, socket)
            } else {
                onConnection(socket)
            }
        } catch {
            dialLater()
        }
    }

    /// The connection has ended. `wasUseful`: the guest has said something on it.
    func noteEnd(wasUseful: Bool) {
        if wasUseful {
            backoff = Backoff()
        }
        dialLater()
    }

    private func dialLater() {
        guard !isEnded else {
            return
        }
        loop.schedule(afterMicroseconds: backoff.next()) { [weak self] in self?.dial() }
    }

    func end() {
        isEnded = true
        endHandshake()
    }

    // MARK: - The handshake of hybrid vsock

    /// Asks the VMM for the guest's port (Firecracker, docs/vsock.md): `CONNECT PORT`, answered with `OK` and a number.
    private func request(_ port: UInt32, _ socket: consuming Descriptor) throws(SystemError) {
        let text = Array("CONNECT \(port)\n".utf8)
        let raw = socket.raw
        try systemCall("send", path) { send(raw, text, text.count, Int32(MSG_NOSIGNAL)) }
        let token = try loop.add(raw, for: .readable, self)
        (pendingToken, answer) = (token, [])
        pending = consume socket
        loop.schedule(afterMicroseconds: Self.answerTime) { [weak self] in
            if let self, self.pendingToken == token {
                self.failHandshake()
            }
        }
    }

    private func unregister() {
        if let pendingToken {
            loop.remove(pendingToken)
        }
        pendingToken = nil
    }

    func handle(_ readiness: Readiness) {
        // Byte by byte: what follows the line is the guest's.
        while let raw = pending?.raw {
            var byte: UInt8 = 0
            let count = read(raw, &byte, 1)
            if count < 0, errno == EAGAIN {
                return
            }
            guard count == 1, answer.count < Self.answerLimit else {
                failHandshake()
                return
            }
            guard byte == UInt8(ascii: "\n") else {
                answer.append(byte)
                continue
            }
            guard answer.starts(with: "OK ".utf8) else {
                failHandshake()
                return
            }
            unregister()
            if let socket = pending.take() {
                onConnection(socket)
            }
        }
    }

    private func failHandshake() {
        endHandshake()
        dialLater()
    }

    private func endHandshake() {
        unregister()
        pending = nil
    }
}
