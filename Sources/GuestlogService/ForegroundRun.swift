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

    /// Runs until the command ends; its exit status, or 128 and the signal that ended it.
    public func run() throws -> Int32 {
        let console = try ConsoleHub.Definition(key: StreamKey(name: name), endpoint: .inherited)
        let runtime = configuration.runtime + "/run-\(getpid())"
        let diagnostics = Diagnostics(threshold: .warning)
        var options = CaptureService.Options(store: configuration.store, inflight: runtime + "/inflight")
        options.shards = 1
        let quota = configuration.quota(of: VMIdentity(name: name))
        options.quota = { _ in quota }
        let capture = try CaptureService(options, diagnostics: diagnostics)
        let hubOptions = ConsoleHub.Options(table: runtime + "/consoles.json")
        let hub = try ConsoleHub(hubOptions, capture: capture, manager: ServiceManager())
        try capture.start()
        try hub.start()
        defer {
            removeRuntime(runtime)
        }

        var terminal = PseudoTerminal()
        let master = try terminal.open()
        let child = try terminal.spawn(command)
        let watcher = try Descriptor.socketPair()
        hub.add(console, descriptor: master)
        _ = hub.attach(console.key, try watcher.second.duplicate(), as: .write, who: "this terminal")
        let status = pump(watcher.first.raw, until: child)
        _ = hub.remove(console.key)
        hub.stop()
        capture.stop()
        return status
    }

    private func removeRuntime(_ path: String) {
        rmdir(path + "/inflight")
        unlink(path + "/consoles.json")
        rmdir(path)
    }

    /// Carries bytes between our standard streams and the console until the child has ended and all is written.
    private func pump(_ console: Int32, until child: pid_t) -> Int32 {
        let ended = gl_pidfd(child)
        defer { close(ended) }
        var readsInput = true
        var hasEnded = false
        while true {
            var polled = [
                pollfd(fd: console, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasEnded ? -1 : ended, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            // Once the child has ended, what is still on its way is waited for briefly.
            let ready = poll(&polled, 3, hasEnded ? 200 : -1)
            if ready == 0, hasEnded {
                break
            }
            if polled[0].revents != 0, !copy(from: console, to: STDOUT_FILENO) {
                break
            }
            if polled[2].revents != 0 {
                readsInput = copy(from: STDIN_FILENO, to: console)
            }
            if polled[1].revents != 0 {
                hasEnded = true
            }
        }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
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
