// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization

/// A descriptor for messages, one per line: with systemd's `<N>` prefix when the journal reads it, with syslog's priority
/// when it is a socket for datagrams, plain otherwise.
///
/// Such a socket is syslog's. It is connected again when syslog was not there yet, or has begun anew.
///
/// Writing a message never blocks. A line is written to a pipe, a socket or a terminal only if it fits at once; lines
/// that do not fit, because the journal has stopped, a terminal is paused, or a pipe has no reader, are counted, and
/// the next line reports their number. A regular file gets every line from a thread of its own, because its disk may
/// hang; beyond `queueLimit` pending lines, further ones are counted too.
final class MessageOutput: Sendable {
    private struct State {
        var dropped = 0
        /// Lines that are pending for the file.
        var queue: [[UInt8]] = []
        var thread: WorkerThread?
    }

    private let descriptor: Int32
    private let prefix: String
    private let isJournal: Bool
    private let isFile: Bool
    private let syslog: String
    private let state = Mutex(State())
    private let queued = Semaphore()

    /// A writable pipe accepts this many bytes without blocking: PIPE_BUF.
    private static let lineLimit = 4096
    /// Maximum number of pending lines.
    static let queueLimit = 1000
    /// syslog(3)'s LOG_DAEMON.
    private static let facility = 3 << 3

    /// Messages of the program `name` to `descriptor`, which the caller owns. The socket of syslog is at `syslog`.
    init(to descriptor: Int32, name: String = "guestlog", syslog: String = "/dev/log") {
        self.descriptor = descriptor
        self.syslog = syslog
        prefix = name + ": "
        isJournal = JournalStream.isConnected(to: descriptor)
        isFile = (try? FileAttributes(of: descriptor))?.kind == .regular
    }

    @Sendable func write(_ level: DiagnosticLevel, _ message: String) {
        state.withLock { state in
            if state.dropped > 0,
                put(.warning, "\(state.dropped) messages before this one were lost: they were not read in time", &state)
            {
                state.dropped = 0
            }
            if state.dropped > 0 || !put(level, message, &state) {
                state.dropped += 1
            }
        }
    }

    /// Writes a line if there is room for it now; returns whether there was.
    private func put(_ level: DiagnosticLevel, _ message: String, _ state: inout State) -> Bool {
        // Not known from the beginning: a daemon gets this socket when it has begun (gl_daemon_begun).
        let isSyslog = !isFile && UnixSocket.isForDatagrams(descriptor)
        let beginning =
            isSyslog ? "<\(Self.facility | level.rawValue)>\(prefix)" : isJournal ? "<\(level.rawValue)>" : prefix
        let line = Array((beginning + message).utf8.prefix(Self.lineLimit - 1) + [UInt8(ascii: "\n")])
        guard isFile else {
            return gl_write_now(descriptor, line, line.count) > 0 || isSyslog && writeConnected(line)
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

    /// Writes a line that could not be written just now, if the connection to syslog was missing, and can be made.
    private func writeConnected(_ line: [UInt8]) -> Bool {
        let code = errno
        guard code == ECONNREFUSED || code == ENOTCONN,
            (try? UnixSocket.connect(datagrams: descriptor, to: syslog)) != nil
        else {
            return false
        }
        return gl_write_now(descriptor, line, line.count) > 0
    }

    /// Writes pending lines to the file, as long as the process lives.
    private func writeQueue() {
        while true {
            queued.wait()
            // Removed only after it is written: `isEmpty` shows whether all is.
            guard let line = state.withLock({ $0.queue.first }) else {
                continue
            }
            _ = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            state.withLock { _ = $0.queue.removeFirst() }
        }
    }

    /// Whether everything accepted is written.
    var isEmpty: Bool { state.withLock { $0.queue.isEmpty } }
}
