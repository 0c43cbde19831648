// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import ConsoleHub
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

/// `guestlog run`: captures one VM in this process.
///
/// The child gets a pseudo-terminal as standard input, output and error. The terminal of this process is a watcher that
/// may type, like any other.
public final class ForegroundRun {
    private let configuration: Configuration
    private let name: String
    private let command: [String]

    public init(_ configuration: Configuration, name: String, command: [String]) {
        self.configuration = configuration
        self.name = name
        self.command = command
    }

    /// The command could not be started.
    public struct CannotStart: Error, CustomStringConvertible {
        let cause: SystemError

        /// The exit status that a shell would use.
        public var status: Int32 { cause.code == ENOENT ? 127 : 126 }
        public var description: String { "\(cause)" }
    }

    /// Another process writes the VM's log; the command was not started.
    public struct Busy: Error, CustomStringConvertible {
        let name: String
        let store: String
        /// The other process; nil when the kernel does not report it.
        let process: pid_t?

        public var description: String {
            let who = process.map { "process \($0)" } ?? "another process"
            return "\(who) writes the log of \(name) in \(store); use another --name, or stop that process"
        }
    }

    /// Runs until the command ends; returns its exit status, or 128 and the signal that ended it. Signals that would
    /// end this process are passed to the command. All output is committed before the return.
    public func run() throws -> Int32 {
        let console = try ConsoleHub.Definition(key: StreamKey(name: name), endpoint: .inherited)
        try VMWriter.refuse(name, in: configuration.store)
        let signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP])
        let runtime = RunFolder(in: configuration.runtime)
        defer { runtime.remove() }
        let diagnostics = Diagnostics(threshold: .warning)
        var options = configuration.captureOptions(inflight: runtime.inflight)
        options.abandoned = RunFolder.abandoned(in: configuration.runtime)
        options.shards = 1
        let capture = try CaptureService(options, diagnostics: diagnostics)
        let hub = try ConsoleHub(.init(table: runtime.table), capture: capture, manager: ServiceManager())
        try capture.start()
        defer { capture.stop() }
        try capture.awaitStore()
        try hub.start()
        defer { hub.stop() }

        var terminal = PseudoTerminal()
        let master = try terminal.open()
        let child: ChildProgram
        do {
            child = try terminal.spawn(command)
        } catch {
            throw CannotStart(cause: error)
        }
        // Output of the command waits in its terminal meanwhile.
        let ends = try SocketEnds.open()
        let notices = Notices()
        hub.add(console, descriptor: master, writer: ends.theirs, who: Self.watcherName, onNotice: notices.add)
        let isConnected = {
            hub.statuses().contains { $0.definition.key == console.key && $0.isConnected }
        }
        try pump(ends.ours, signals, of: child, while: isConnected) { () throws(SystemError) -> Descriptor in
            notices.print()
            let ends = try SocketEnds.open()
            _ = hub.attach(console.key, ends.theirs, as: .write, who: Self.watcherName, onNotice: notices.add)
            return ends.ours
        }
        notices.print()
        _ = hub.remove(console.key)
        return child.wait()
    }

    /// The name of this terminal's watcher.
    private static let watcherName = "this terminal"

    /// Copies bytes between the standard streams and the console, and passes signals to the child, until the child has
    /// ended and all its output was written. `console` is closed when the child's terminal is closed, which
    /// `isConnected` shows, or when this process reads too slowly; `rejoin` reconnects.
    private func pump(
        _ console: consuming Descriptor,
        _ signals: borrowing SignalQueue,
        of child: borrowing ChildProgram,
        while isConnected: () -> Bool,
        rejoin: () throws(SystemError) -> Descriptor
    ) throws(SystemError) {
        var readsInput = true
        var readsConsole = true
        var hasEnded = false
        while readsConsole || !hasEnded {
            var polled = [
                pollfd(fd: readsConsole ? console.raw : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasEnded ? -1 : child.ended.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsInput && readsConsole ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polled, nfds_t(polled.count), hasEnded ? Self.quietAfterEnd : -1)
            // A terminal that stays open after the child has ended is held by background processes, which are not
            // waited for. The hub answers between its reads: after two answers it has read what was there before.
            if ready == 0, isConnected(), isConnected(), poll(&polled, 1, 0) == 0 {
                return
            }
            if polled[0].revents != 0, !copy(from: console.raw, to: STDOUT_FILENO) {
                if isConnected() {
                    console = try rejoin()
                } else {
                    readsConsole = false
                }
            }
            if polled[2].revents != 0 {
                readsInput = copy(from: STDIN_FILENO, to: console.raw)
            }
            if polled[3].revents != 0, let signal = signals.take() {
                child.send(signal)
            }
            if polled[1].revents != 0 {
                hasEnded = true
            }
        }
    }

    /// Milliseconds without output after which a terminal that outlives the child is abandoned.
    private static let quietAfterEnd: Int32 = 200

    /// Copies available bytes; false at the end.
    private func copy(from source: Int32, to target: Int32) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            let count = read(source, buffer.baseAddress, buffer.count)
            if count < 0 {
                return errno == EAGAIN || errno == EINTR
            }
            var done = 0
            while done < count {
                let written = write(target, buffer.baseAddress! + done, count - done)
                if written < 0, errno == EAGAIN {
                    var room = pollfd(fd: target, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&room, 1, -1)
                } else if written < 0, errno != EINTR {
                    return count > 0
                }
                done += max(0, written)
            }
            return count > 0
        }
    }
}

/// Notices from the hub, printed when the connection has ended: the thread that gives them must not wait for a terminal.
private final class Notices: Sendable {
    private let pending = Mutex<[String]>([])

    @Sendable
    func add(_ notice: String) {
        pending.withLock { $0.append(notice) }
    }

    /// Prints them to standard error, which may be a terminal in raw mode.
    func print() {
        let notices = pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
        for notice in notices {
            let line = Array("\r\nguestlog: \(notice)\r\n".utf8)
            _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }
}

/// A connection within this process: one end for this class, one for the hub.
private struct SocketEnds: ~Copyable {
    let ours: Descriptor
    let theirs: Descriptor

    static func open() throws(SystemError) -> SocketEnds {
        let pair = try Descriptor.socketPair()
        return SocketEnds(ours: try pair.first.duplicate(), theirs: try pair.second.duplicate())
    }
}

/// A pseudo-terminal, and a child that has it as controlling terminal.
private struct PseudoTerminal {
    private var slavePath = ""

    /// Opens the master side, with the size of this process's terminal.
    mutating func open() throws(SystemError) -> Descriptor {
        var path = [CChar](repeating: 0, count: 128)
        let number = try systemCall("open a pseudo-terminal") { gl_open_terminal(&path, path.count) }
        let master = Descriptor(owning: number)
        slavePath = path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        var size = winsize()
        if gl_get_window_size(STDIN_FILENO, &size) == 0 {
            _ = gl_set_window_size(number, &size)
        }
        return master
    }

    /// Starts `command` in a session of its own with the terminal as its controlling one.
    func spawn(_ command: [String]) throws(SystemError) -> ChildProgram {
        try ChildProgram(command, .terminal(slavePath))
    }
}
