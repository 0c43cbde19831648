import CLinux
import Glibc
import SystemIO

/// `guestlog keep`: what systemd does for a daemon of ours, on hosts without it. Starts it, keeps the descriptors that it
/// leaves with us in systemd's words (sd_notify(3), `FDSTORE=1`), and starts it again with them when it dies.
///
/// What is kept stays open, so nobody who writes to it is told that the other end is gone. Should the daemon be away
/// for more than a second, what comes meanwhile is read and counted: a pipe that is full would stop the guest.
public final class Keeper {
    private let command: [String]
    private let path: String
    private let socket: Descriptor
    private let signals: SignalQueue
    private let diagnostics = Diagnostics()
    private var kept: [(name: String, descriptor: Int32)] = []
    private var child: pid_t = 0
    private var lost = 0
    private var backoff = 0

    /// Signals that are the daemon's.
    private static let passedOn = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]
    /// How long guests can wait, in milliseconds, before what they say is read and dropped.
    private static let patience: Int32 = 1000
    /// The longest wait before the daemon is started again, in milliseconds.
    private static let longestBackoff = 5000

    /// A keeper of the daemon that `command` starts; its own socket is in the folder `runtime`.
    public init(_ command: [String], runtime: String) throws {
        self.command = command
        path = "\(runtime)/keep-\(getpid()).sock"
        try LinuxPlaces.makeFolder(of: path)
        socket = try UnixSocket.datagrams(at: path)
        signals = try SignalQueue(Self.passedOn)
    }

    deinit {
        unlink(path)
    }

    /// Runs until the daemon has ended well or as it was told to, or badly with nothing kept; its exit status, or 128 and
    /// the signal.
    public func run() throws -> Int32 {
        while true {
            try start()
            let begun = SystemClock().monotonicMicroseconds()
            let (status, wasTold) = try awaitEnd()
            // One that cannot even begin, for its configuration is wrong, has left nothing with us.
            let wasKilled = status > 128
            guard status != 0, !wasTold, wasKilled || !kept.isEmpty else {
                return status
            }
            let hasRun = SystemClock().monotonicMicroseconds() - begun > 1_000_000
            backoff = hasRun ? 0 : min(max(100, backoff * 2), Self.longestBackoff)
            diagnostics.say(
                .error,
                "\(command[0]) has ended with \(status); starting it again with \(kept.count) descriptors"
            )
            if try restIsCutShort() {
                return status
            }
        }
    }

    // MARK: - The daemon

    private func start() throws(SystemError) {
        // Out of the way of the numbers they will have: 3, 4, 5 …
        let above = 3 + kept.count
        var moved: [Int32] = []
        defer { moved.forEach { close($0) } }
        for (_, descriptor) in kept {
            moved.append(try systemCall("dup") { gl_fcntl(descriptor, F_DUPFD_CLOEXEC, above) })
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (place, descriptor) in moved.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + place))
        }
        setenv("NOTIFY_SOCKET", path, 1)
        setenv("LISTEN_FDS", String(kept.count), 1)
        setenv("LISTEN_FDNAMES", kept.map(\.name).joined(separator: ":"), 1)
        // Its process id, which the daemon wants to find there, only the child knows.
        child = try spawn(["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$@\"", "sh"] + command, &actions)
        if lost > 0 {
            diagnostics.say(.warning, "\(lost) bytes were lost while \(command[0]) was away")
            lost = 0
        }
    }

    private func spawn(
        _ words: [String],
        _ actions: inout posix_spawn_file_actions_t
    ) throws(SystemError) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, words[0], &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            throw SystemError("run", words[0], code: code)
        }
        return process
    }

    /// Serves the daemon until it ends: its status, and whether it was told to end.
    private func awaitEnd() throws(SystemError) -> (status: Int32, wasTold: Bool) {
        let ended = Descriptor(owning: try systemCall("pidfd_open") { gl_pidfd(child) })
        var wasTold = false
        while true {
            var polled = [ended.raw, socket.raw, signals.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&polled, nfds_t(polled.count), -1)
            while receive() {}
            if polled[2].revents != 0, let signal = signals.take() {
                wasTold = wasTold || signal == SIGTERM || signal == SIGINT
                kill(child, signal)
            }
            if polled[0].revents != 0 {
                var status: Int32 = 0
                waitpid(child, &status, 0)
                let signal = status & 0x7f
                return (signal == 0 ? status >> 8 & 0xff : 128 + signal, wasTold)
            }
        }
    }

    // MARK: - What is kept

    /// Takes one message of the daemon's; whether there was one.
    private func receive() -> Bool {
        var text = [UInt8](repeating: 0, count: 4096)
        var descriptor: Int32 = -1
        let count = gl_receive_descriptor(socket.raw, &text, text.count, &descriptor)
        guard count >= 0 else {
            return false
        }
        var words: [Substring: Substring] = [:]
        let message = String(decoding: text.prefix(count), as: UTF8.self)
        for line in message.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            words[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        let name = words["FDNAME"].map(String.init) ?? "stored"
        if words["FDSTOREREMOVE"] == "1" {
            kept.filter { $0.name == name }.forEach { close($0.descriptor) }
            kept.removeAll { $0.name == name }
        }
        if words["FDSTORE"] == "1", descriptor >= 0 {
            kept.append((name, descriptor))
        } else if descriptor >= 0 {
            close(descriptor)
        }
        return true
    }

    /// Waits before the daemon is started again; whether somebody wants it to stay away.
    private func restIsCutShort() throws(SystemError) -> Bool {
        var left = Int32(backoff)
        var waited: Int32 = 0
        while left > 0 {
            let step = min(left, 50)
            if let signal = signals.next(milliseconds: step), signal == SIGTERM || signal == SIGINT {
                return true
            }
            left -= step
            waited += step
            if waited >= Self.patience {
                drain()
            }
        }
        return false
    }

    /// Reads what is in the kept descriptors, and counts it.
    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        for (_, descriptor) in kept {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&polled, 1, 0) > 0, polled.revents & Int16(POLLIN) != 0 {
                let count = read(descriptor, &buffer, buffer.count)
                guard count > 0 else {
                    break
                }
                lost += count
            }
        }
    }
}
