// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A connection of a sender: its bytes through the session, and acknowledgements back. Lives on the receiver's loop.
final class ForwardSender: EventHandler {
    private let socket: Descriptor
    private unowned let loop: EventLoop
    private var session: ForwardSession
    private let take: (ForwardMessage, ForwardSender) throws -> Void
    /// Called when the memory of an incomplete message has changed.
    private let onMemory: (ForwardSender) -> Void
    private var onEnd: ((ForwardSender, (any Error)?) -> Void)?
    private var token: EventLoop.Token?
    private var output = PendingOutput()
    private var isEnded = false

    /// Bytes read in one turn.
    private static let pieceSize = 64 << 10

    init(
        _ socket: consuming Descriptor,
        _ session: ForwardSession,
        on loop: EventLoop,
        take: @escaping (ForwardMessage, ForwardSender) throws -> Void,
        onMemory: @escaping (ForwardSender) -> Void,
        onEnd: @escaping (ForwardSender, (any Error)?) -> Void
    ) {
        self.socket = socket
        self.session = session
        self.loop = loop
        self.take = take
        self.onMemory = onMemory
        self.onEnd = onEnd
    }

    /// The memory of an incomplete message, in bytes.
    var waiting: Int { session.waiting }
    /// Whether the sender has proved that it may send.
    var isOpen: Bool { session.state == .open }

    func begin() throws(SystemError) {
        token = try loop.add(socket.raw, for: .readable, self)
        send(session.greeting)
    }

    func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) {
            flush()
        }
        guard !isEnded, readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) else {
            return
        }
        withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 16) { buffer in
            let count = read(socket.raw, buffer.baseAddress, buffer.count)
            guard count > 0 else {
                if count == 0 || ![EAGAIN, EINTR].contains(errno) {
                    end(nil)
                }
                return
            }
            receive(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        do {
            for action in session.receive(bytes) where !isEnded {
                switch action {
                case .send(let bytes): send(bytes)
                case .take(let message): try take(message, self)
                case .end(let fault): throw fault
                }
            }
            if !isEnded {
                onMemory(self)
            }
        } catch {
            end(error)
        }
    }

    func send(_ bytes: [UInt8]) {
        guard !isEnded, !bytes.isEmpty else {
            return
        }
        output.append(bytes)
        flush()
        if output.count > ForwardLimits.unread {
            end(ForwardMessage.Fault(description: "the sender does not read acknowledgements"))
        }
    }

    private func flush() {
        if !output.write(to: socket.raw) {
            output.removeAll()
        }
        if let token {
            loop.modify(token, for: output.interest)
        }
    }

    /// Ends the connection.
    func end(_ error: (any Error)?) {
        guard !isEnded else {
            return
        }
        isEnded = true
        if let token {
            loop.remove(token)
        }
        shutdown(socket.raw, Int32(SHUT_RDWR))
        onEnd?(self, error)
        onEnd = nil
    }
}
