// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import Glibc
import SystemIO

/// The connection to the guest: drained when readable, written to when a watcher types.
final class GuestConnection: EventHandler {
    private let connection: Connection
    private unowned let console: Console
    private var token: EventLoop.Token?
    private var unsent: [UInt8] = []

    /// Maximum input buffered for a guest that does not read, in bytes; beyond it the writer is not read either.
    private static let unsentLimit = 64 << 10

    /// Begins to drain; throws when the loop refuses the descriptor, as it does regular files.
    init(_ connection: Connection, console: Console) throws(SystemError) {
        self.connection = connection
        self.console = console
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
            guard case .bytes(let bytes) = console.receive(from: connection.descriptor.raw) else {
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
        unsent.append(contentsOf: bytes.prefix(max(0, 2 * Self.unsentLimit - unsent.count)))
        sendUnsent()
    }

    private func sendUnsent() {
        let hadUnsent = !unsent.isEmpty
        while !unsent.isEmpty {
            let count = unsent.withUnsafeBytes { write(connection.descriptor.raw, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR {
                continue
            }
            guard count > 0 else {
                if errno != EAGAIN {
                    unsent.removeAll()
                }
                break
            }
            unsent.removeFirst(count)
        }
        if let token {
            console.shard.loop.modify(token, for: unsent.isEmpty ? .readable : [.readable, .writable])
        }
        if hadUnsent, unsent.isEmpty {
            console.inputDrained()
        }
    }

    func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) {
            sendUnsent()
        }
        guard readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) else {
            return
        }
        switch console.receive(from: connection.descriptor.raw) {
        case .bytes(let bytes): console.output(bytes)
        case .nothing: break
        // EIO: the other side of a pseudo-terminal is closed.
        case .end: console.disconnected()
        }
    }
}
