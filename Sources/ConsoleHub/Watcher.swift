// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import SystemIO

/// What a watcher may do.
public enum WatcherRole: Hashable, Sendable {
    /// Read.
    case watch
    /// Read, and write if there is no other writer.
    case write
    /// Read and write, taking the right to write from the current writer.
    case steal
}

/// A client of a console: a socket that receives the console's output, and nothing else. Lives on the console's shard.
///
/// A watcher that does not keep up is cut off, with a notice beside the output: it never delays the guest or other
/// watchers, and never misses output and gets more.
final class Watcher: EventHandler {
    let who: String
    /// Whether it asked for the right to write.
    let wantsToWrite: Bool
    private let descriptor: Descriptor
    /// Its slot among the sessions of the console's socket, when it came through that socket.
    let slot: SocketSessions.Slot?
    /// Takes notices to this watcher, such as why it may not write. Called on the console's shard; must not wait.
    private let onNotice: @Sendable (ConsoleNotice) -> Void
    private unowned let console: Console
    private var token: EventLoop.Token?
    private var skipped = 0
    private var isPaused = false

    /// Bytes that the kernel buffers for a watcher before it is cut off.
    private static let buffer: Int32 = 1 << 20
    /// Maximum number of bytes read from a watcher at once.
    private static let inputLimit = 4096

    init(
        _ descriptor: consuming Descriptor,
        who: String,
        wantsToWrite: Bool,
        slot: SocketSessions.Slot?,
        console: Console,
        onNotice: @escaping @Sendable (ConsoleNotice) -> Void
    ) {
        self.who = who
        self.wantsToWrite = wantsToWrite
        self.onNotice = onNotice
        self.slot = slot
        self.descriptor = descriptor
        self.console = console
        var size = Self.buffer
        setsockopt(self.descriptor.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Begins; false when the loop refuses the descriptor.
    func begin() -> Bool {
        watch(for: .readable)
        return token != nil
    }

    private func watch(for readiness: Readiness) {
        if let token {
            console.shard.loop.modify(token, for: readiness)
        } else {
            token = try? console.shard.loop.add(descriptor.raw, for: readiness, self)
        }
    }

    func end() {
        if let token {
            console.shard.loop.remove(token)
        }
        token = nil
    }

    /// Whether output was skipped, and the watcher is not cut off yet.
    var isBehind: Bool { skipped > 0 }

    /// Sends `bytes`, or begins to skip output when there is no room.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard skipped == 0 else {
            skipped += bytes.count
            return
        }
        let sent = Glibc.send(
            descriptor.raw,
            bytes.baseAddress,
            bytes.count,
            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        )
        if sent < 0, errno == EPIPE || errno == ECONNRESET {
            // The watcher has closed; that is handled after all its input was read.
            return
        }
        let missing = bytes.count - max(0, sent)
        if missing > 0 {
            skipped = missing
            watch(for: .writable)
        }
    }

    /// Gives a notice to the watcher alone; with an `end`, the caller closes the connection after it.
    func notify(_ message: String, end: ConsoleNotice.End? = nil) {
        onNotice(ConsoleNotice(text: message, end: end))
    }

    /// Reports how much output was skipped, if any was. The watcher gets no more output.
    func reportSkipped(remedy: String, end: ConsoleNotice.End?) {
        if skipped > 0 {
            notify("cut off: \(skipped) bytes behind; \(remedy)", end: end)
        }
    }

    /// Stops or resumes reading the watcher's input, while the guest takes none.
    ///
    /// While paused the watcher is removed from the loop, which would otherwise report its end although input is still
    /// to be read.
    func pauseInput(_ pause: Bool) {
        guard pause != isPaused, skipped == 0 else {
            return
        }
        isPaused = pause
        if pause {
            end()
        } else {
            watch(for: .readable)
        }
    }

    private enum Input {
        case taken, none, ended
    }

    /// Passes some of the watcher's input to the console.
    private func takeInput() -> Input {
        withUnsafeTemporaryAllocation(byteCount: Self.inputLimit, alignment: 1) { buffer in
            let count = recv(descriptor.raw, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                console.input(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]),
                    from: self
                )
                return .taken
            }
            return count < 0 && (errno == EAGAIN || errno == EINTR) ? .none : .ended
        }
    }

    func handle(_ readiness: Readiness) {
        if skipped > 0, readiness.contains(.writable) {
            // What it has sent before it can notice is for the guest. Later writes fail.
            shutdown(descriptor.raw, Int32(SHUT_RD))
            while takeInput() == .taken {}
            reportSkipped(remedy: "rejoin, or read the log", end: .fellBehind)
            console.drop(self)
            return
        }
        if readiness.contains(.readable) {
            if takeInput() == .ended {
                console.drop(self)
            }
        } else if !readiness.isDisjoint(with: .hangUp) {
            console.drop(self)
        }
    }
}
