import Capture
import CLinux
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO

/// `guestlog run`: one VM under capture in this process.
///
/// The child gets a pseudo-terminal as standard input, output and error; the terminal we run in watches it and types on
/// it, as anybody at a console would.
public final class ForegroundRun {
    private let configuration: Configuration
    private let name: String
    private let command: [String]

    /// A run of `command` as the VM `name`.
    public init(_ configuration: Configuration, name: String, command: [String]) {
        self.configuration = configuration
        self.name = name
        self.command = command
    }

    /// The command could not be started.
    public struct CannotStart: Error, CustomStringConvertible {
        let cause: SystemError

        /// What a shell would exit with.
        public var status: Int32 { cause.code == ENOENT ? 127 : 126 }
        public var description: String { "\(cause)" }
    }

    /// Runs until the command ends; its exit status, or 128 and the signal that ended it. Signals that would end us
    /// are the command's: once it has ended, all it said is committed.
    public func run() throws -> Int32 {
        let console = try ConsoleHub.Definition(key: StreamKey(name: name), endpoint: .inherited)
        let signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP])
        let runtime = RunFolder(in: configuration.runtime)
        defer { runtime.remove() }
        let diagnostics = Diagnostics(threshold: .warning)
        var options = configuration.captureOptions(inflight: runtime.inflight)
        options.abandoned = RunFolder.left(in: configuration.runtime)
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
        let child: pid_t
        do {
            child = try terminal.spawn(command)
        } catch {
            throw CannotStart(cause: error)
        }
        hub.add(console, descriptor: master)
        try pump(signals, until: child) { () throws(SystemError) -> Descriptor? in
            let pair = try Descriptor.socketPair()
            let isThere = hub.attach(console.key, try pair.second.duplicate(), as: .write, who: "this terminal")
            return isThere ? try pair.first.duplicate() : nil
        }
        _ = hub.remove(console.key)
        return Self.status(of: child)
    }

    /// Waits for the child: its exit status, or 128 and the signal that ended it.
    private static func status(of child: pid_t) -> Int32 {
        var status: Int32 = 0
        waitpid(child, &status, 0)
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// Carries bytes between our standard streams and the console, and signals to the child, until it has ended and
    /// all is written. `join` puts us on the console; whoever cannot keep up with it is cut off, and joins again.
    private func pump(
        _ signals: borrowing SignalQueue,
        until child: pid_t,
        join: () throws(SystemError) -> Descriptor?
    ) throws(SystemError) {
        guard var console = try join() else {
            return
        }
        let ended = Descriptor(owning: try systemCall("pidfd_open") { gl_pidfd(child) })
        var readsInput = true
        var hasEnded = false
        while true {
            var polled = [
                pollfd(fd: console.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasEnded ? -1 : ended.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
            ]
            // Once the child has ended, what is still on its way is waited for briefly.
            let ready = poll(&polled, nfds_t(polled.count), hasEnded ? 200 : -1)
            if ready == 0, hasEnded {
                return
            }
            if polled[0].revents != 0, !copy(from: console.raw, to: STDOUT_FILENO) {
                guard !hasEnded, let again = try join() else {
                    return
                }
                console = again
            }
            if polled[2].revents != 0 {
                readsInput = copy(from: STDIN_FILENO, to: console.raw)
            }
            if polled[3].revents != 0, let signal = signals.take() {
                kill(child, signal)
            }
            if polled[1].revents != 0 {
                hasEnded = true
            }
        }
    }

    /// Copies what is there; false at the end.
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

/// A pseudo-terminal, and a child that has it as its own.
private struct PseudoTerminal {
    private var slavePath = ""

    /// Opens the master's side, of the size of the terminal we run in.
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
    func spawn(_ command: [String]) throws(SystemError) -> pid_t {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        let code = gl_spawn_on_terminal(&child, slavePath, arguments)
        guard code == 0 else {
            throw SystemError("run", command[0], code: code)
        }
        return child
    }
}
