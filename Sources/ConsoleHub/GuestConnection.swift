// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import Glibc
import SystemIO

/// The connection to the guest: drained when readable, written to when a watcher types. A server that begins with a
/// Telnet negotiation is answered, and only its output is passed on.
final class GuestConnection: EventHandler {
    let connection: Connection
    private unowned let console: Console
    private var token: EventLoop.Token?
    private var unsent = PendingOutput()
    private var telnet: TelnetStream?
    /// Whether the first byte is still to come that tells whether it speaks Telnet.
    private var mayBeTelnet: Bool

    /// Maximum input buffered for a guest that does not read, in bytes; beyond it the writer is not read either.
    private static let unsentLimit = 64 << 10

    /// Begins to drain; throws when the loop refuses the descriptor, as it does regular files.
    init(_ connection: Connection, console: Console) throws(SystemError) {
        self.connection = connection
        self.console = console
        telnet = connection.isTelnet ? TelnetStream(isResumed: true) : nil
        mayBeTelnet = connection.isNew && console.definition.endpoint.mayBeTelnet
        token = try console.shard.loop.add(connection.descriptor.raw, for: .readable, self)
    }

    func end() {
        if let token {
            console.shard.loop.remove(token)
        }
        token = nil
    }

    /// Ends, and releases the descriptor.
    func handOver() -> Int32? {
        end()
        return try? connection.descriptor.duplicate().release()
    }

    /// Ends when the connection has no other owner: stops the other side from writing, then reads all output that it
    /// has written, so that none is lost.
    func drainAndEnd() {
        end()
        shutdown(connection.descriptor.raw, Int32(SHUT_RD))
        for _ in 0..<Self.lastReads {
            guard case .bytes(let bytes) = receive() else {
                return
            }
            console.output(bytes)
        }
    }

    /// Reads at the end, of up to 64 KiB each: more than a socket holds.
    private static let lastReads = 256

    /// Whether the input buffer is full.
    var isCongested: Bool { unsent.count >= Self.unsentLimit }

    /// Sends input, and buffers what the guest does not take yet.
    func send(_ bytes: UnsafeRawBufferPointer) {
        let accepted = UnsafeRawBufferPointer(rebasing: bytes.prefix(max(0, 2 * Self.unsentLimit - unsent.count)))
        unsent.append(telnet?.encode(accepted) ?? Array(accepted))
        sendUnsent()
    }

    private func sendUnsent() {
        let hadUnsent = !unsent.isEmpty
        if !unsent.write(to: connection.descriptor.raw) {
            unsent.removeAll()
        }
        if let token {
            console.shard.loop.modify(token, for: unsent.interest)
        }
        if hadUnsent, unsent.isEmpty {
            console.inputDrained()
        }
    }

    /// Reads once what is available, and stores it.
    private func receive() -> StreamIntake.Received {
        if mayBeTelnet {
            detectTelnet()
        }
        guard telnet != nil else {
            return console.receive(from: connection.descriptor.raw)
        }
        let received = console.shard.receiveUnstored(from: connection.descriptor.raw)
        guard case .bytes(let bytes) = received else {
            return received
        }
        var answer: [UInt8] = []
        let count = telnet?.decode(UnsafeMutableRawBufferPointer(mutating: bytes), answer: &answer) ?? 0
        if !answer.isEmpty {
            unsent.append(answer)
            sendUnsent()
        }
        let output = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        console.store(output)
        return .bytes(output)
    }

    /// Decides by the first bytes whether the other end is a Telnet server.
    private func detectTelnet() {
        withUnsafeTemporaryAllocation(byteCount: 2, alignment: 1) { buffer in
            let count = recv(connection.descriptor.raw, buffer.baseAddress, 2, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            guard count > 0 else {
                return
            }
            mayBeTelnet = false
            if TelnetStream.begins(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                telnet = TelnetStream()
                console.isTelnet()
            }
        }
    }

    func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) {
            sendUnsent()
        }
        guard readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) else {
            return
        }
        guard drain(), console.definition.endpoint.isPipe, gl_bytes_waiting(connection.descriptor.raw) == 0 else {
            return
        }
        // epoll reports no end for writers that closed the pipe before it was opened; reading finds it.
        drain()
    }

    /// Reads once what is available, and passes it on; returns whether there was anything.
    @discardableResult
    private func drain() -> Bool {
        switch receive() {
        case .bytes(let bytes):
            console.output(bytes)
            return true
        case .nothing:
            return false
        case .end:
            // EIO: the other side of a pseudo-terminal is closed.
            console.disconnected()
            return false
        }
    }
}
