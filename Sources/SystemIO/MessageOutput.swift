import Glibc
import Synchronization

/// A descriptor that messages are written to, a line each: with systemd's `<N>` prefix when its journal listens there,
/// plain otherwise.
///
/// Whoever writes a message never waits. A line goes into a pipe, a socket or a terminal only where it fits at once: a
/// journal that has stopped, a terminal that is paused, a pipe that nobody reads cost the lines they do not take, and the
/// next one tells how many those were. A regular file takes every line in its own time, from a thread of its own, for its
/// disk may hang; beyond `queueLimit` lines that wait, further ones are counted too.
final class MessageOutput: Sendable {
    private struct State {
        var dropped = 0
        /// Lines that wait for the file.
        var queue: [[UInt8]] = []
        var thread: WorkerThread?
    }

    private let descriptor: Int32
    private let isJournal = getenv("JOURNAL_STREAM") != nil
    private let isFile: Bool
    private let state = Mutex(State())
    private let queued = OneShot()

    /// A pipe that is writable takes as many bytes without blocking: PIPE_BUF.
    private static let lineLimit = 4096
    /// Lines that wait for a file at most.
    static let queueLimit = 1000

    /// Messages to `descriptor`, which stays the caller's.
    init(to descriptor: Int32) {
        self.descriptor = descriptor
        var status = stat()
        isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    @Sendable func write(_ level: DiagnosticLevel, _ message: String) {
        state.withLock { state in
            if state.dropped > 0,
                put(.warning, "\(state.dropped) messages before this one were lost: nobody read them", &state)
            {
                state.dropped = 0
            }
            if state.dropped > 0 || !put(level, message, &state) {
                state.dropped += 1
            }
        }
    }

    /// Writes a line if there is room for it now; whether there was.
    private func put(_ level: DiagnosticLevel, _ message: String, _ state: inout State) -> Bool {
        let prefix = isJournal ? "<\(level.rawValue)>" : "guestlog: "
        let line = Array((prefix + message).utf8.prefix(Self.lineLimit - 1) + [UInt8(ascii: "\n")])
        guard isFile else {
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, 0) == 1, room.revents & Int16(POLLOUT) != 0 else {
                return false
            }
            return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } > 0
        }
        guard state.queue.count < Self.queueLimit else {
            return false
        }
        if state.thread == nil {
            state.thread = try? WorkerThread(name: "messages") { [self] in writeQueue() }
        }
        state.queue.append(line)
        queued.signal()
        return true
    }

    /// Writes what waits for the file, for as long as the process lives.
    private func writeQueue() {
        while true {
            queued.wait()
            // Taken only when it is written: `isEmpty` tells whether all is.
            guard let line = state.withLock({ $0.queue.first }) else {
                continue
            }
            _ = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            state.withLock { _ = $0.queue.removeFirst() }
        }
    }

    /// Whether everything that was taken is written.
    var isEmpty: Bool { state.withLock { $0.queue.isEmpty } }
}
