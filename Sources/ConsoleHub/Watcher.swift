import Capture
import Glibc
import SystemIO

/// What somebody on a console may do.
public enum WatcherRole: Hashable, Sendable {
    /// See it.
    case watch
    /// See it, and write if nobody else does.
    case write
    /// See it and write, taking the right from whoever has it.
    case steal
}

/// Somebody on a console: a socket that gets its bytes. Lives on the console's shard.
///
/// A watcher that does not keep up is cut off, with a marker: it never makes the guest or the others wait, and never
/// sees a hole it is not told of.
final class Watcher: EventHandler {
    let who: String
    private let descriptor: Descriptor
    /// Its slot among the sessions of the console's socket, when it came by that.
    let slot: SocketSessions.Slot?
    private unowned let console: Console
    private var token: EventLoop.Token?
    private var skipped = 0
    private var isPaused = false

    /// Bytes that the kernel holds for a watcher before it counts as slow.
    private static let buffer: Int32 = 1 << 20
    /// Most that is read from a watcher at once.
    private static let inputLimit = 4096

    init(_ descriptor: consuming Descriptor, who: String, slot: SocketSessions.Slot?, console: Console) {
        self.who = who
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

    /// Whether it did not keep up, and is yet to be told of what it missed.
    var isBehind: Bool { skipped > 0 }

    /// Sends `bytes`, or begins to cut the watcher off when there is no room.
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
            // It has gone. That is seen when all it typed has been read.
            return
        }
        let missing = bytes.count - max(0, sent)
        if missing > 0 {
            skipped = missing
            watch(for: .writable)
        }
    }

    /// Says something to the watcher alone.
    func notify(_ message: String) {
        Self.notify(message, by: descriptor)
    }

    /// Says something to whoever is at the other end of `descriptor`.
    static func notify(_ message: String, by descriptor: borrowing Descriptor) {
        let line = Array("\r\n[guestlog: \(message)]\r\n".utf8)
        _ = line.withUnsafeBytes {
            Glibc.send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// Stops, or goes on, reading what the watcher types: the guest takes no more just now.
    ///
    /// While it is paused it is off the loop, which would tell of its end: what it typed before that is still to be
    /// read.
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

    func handle(_ readiness: Readiness) {
        if skipped > 0, readiness.contains(.writable) {
            notify("cut off: \(skipped) bytes behind; attach again, or read the log")
            console.drop(self)
            return
        }
        if readiness.contains(.readable) {
            let more = withUnsafeTemporaryAllocation(byteCount: Self.inputLimit, alignment: 1) { buffer in
                let count = recv(descriptor.raw, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 {
                    console.input(
                        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]),
                        from: self
                    )
                    return true
                }
                return count < 0 && (errno == EAGAIN || errno == EINTR)
            }
            if !more {
                console.drop(self)
            }
        } else if !readiness.isDisjoint(with: .hangUp) {
            console.drop(self)
        }
    }
}
