import CLinux
import Glibc
import SystemIO

/// `guestlog keep`: what systemd does for a daemon of ours, on hosts without it. Starts it, keeps the descriptors that it
/// leaves with us in systemd's words (sd_notify(3), `FDSTORE=1`), and starts it again with them when it dies.
///
/// What is kept stays open, so nobody who writes to it is told that the other end is gone. While the daemon does not drain
/// it, for it has died, is being replaced, or waits for a disk before it begins, the keeper does (`DescriptorKeeper`).
public final class Keeper {
    private let command: [String]
    private let notifySocket: String
    /// What the daemon finds in this process's memory.
    private let files: (lease: MemoryFile, discarded: MemoryFile)
    private let socket: Descriptor
    private let signals: SignalQueue
    private let diagnostics = Diagnostics()
    private let store: KeptDescriptors
    private let lease: LeaseWatch
    private let clock = SystemClock()
    private var child: pid_t = 0
    private var backoff: Int64 = 0
    private var hasBeenReady = false
    private var drainer: Drainer

    /// Who drains what is kept.
    private enum Drainer: Equatable {
        /// The daemon, as long as the lease is held.
        case daemon
        /// The daemon, which has said that it is about to.
        case promised(since: Int64)
        /// Nobody.
        case nobody(since: Int64)
        /// This process.
        case keeper
    }

    /// Signals that are the daemon's.
    private static let passedOn = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]
    /// How long guests can wait before what they say is read and thrown away, in microseconds: a daemon that is started
    /// again takes less, and what they say meanwhile fits into what the kernel holds for them.
    private static let drainAfter: Int64 = 200_000
    /// How long the daemon may take from asking for the descriptors to draining them, in microseconds.
    private static let promiseLimit: Int64 = 2_000_000
    /// The first and the longest wait before a daemon that could not begin is started again, in microseconds.
    private static let firstBackoff: Int64 = 100_000
    private static let longestBackoff: Int64 = 5_000_000

    /// A keeper of the daemon that `command` starts; the socket on which it hears from the daemon is in the folder
    /// `runtime`.
    public init(_ command: [String], runtime: String) throws {
        self.command = command
        notifySocket = "\(runtime)/keep-\(getpid()).sock"
        try LinuxPaths.makeFolder(of: notifySocket)
        socket = try UnixSocket.datagrams(at: notifySocket)
        signals = try SignalQueue(Self.passedOn)
        files = (lease: try MemoryFile("guestlog-lease"), discarded: try MemoryFile("guestlog-discarded"))
        store = KeptDescriptors(discardedPath: files.discarded.path)
        lease = try LeaseWatch(files.lease.path)
        drainer = .nobody(since: clock.monotonicMicroseconds())
    }

    deinit {
        unlink(notifySocket)
    }

    /// Runs until the daemon has ended well or as it was told to, or badly with nothing kept; its exit status, or 128 and
    /// the signal.
    public func run() throws -> Int32 {
        while true {
            try start()
            let (status, wasStopRequested) = try awaitEnd()
            // One that cannot even begin, for its configuration is wrong, has left nothing with us.
            let wasKilled = status > 128
            guard status != 0, !wasStopRequested, wasKilled || !store.descriptors.isEmpty else {
                return status
            }
            backoff = hasBeenReady ? 0 : min(max(Self.firstBackoff, backoff * 2), Self.longestBackoff)
            diagnostics.log(
                .error,
                "\(command[0]) ended with status \(status); it is started again with \(store.descriptors.count) descriptors"
            )
            if try isStoppedWhileWaiting() {
                return status
            }
        }
    }

    // MARK: - The daemon

    private func start() throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (place, kept) in store.descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, kept.descriptor, Int32(3 + place))
        }
        setenv("NOTIFY_SOCKET", notifySocket, 1)
        let paths = DescriptorKeeper.Paths(lease: files.lease.path, discarded: files.discarded.path)
        setenv(DescriptorKeeper.variable, paths.text, 1)
        setenv("LISTEN_FDS", String(store.descriptors.count), 1)
        setenv("LISTEN_FDNAMES", store.descriptors.map(\.name).joined(separator: ":"), 1)
        hasBeenReady = false
        // Its process id, which the daemon wants to find there, only the child knows.
        child = try ChildCommand.spawn(["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$@\"", "sh"] + command, &actions)
    }

    /// Serves the daemon until it ends: its status, and whether it was told to end.
    private func awaitEnd() throws(SystemError) -> (status: Int32, wasStopRequested: Bool) {
        let ended = Descriptor(owning: try systemCall("pidfd_open") { gl_pidfd(child) })
        var wasStopRequested = false
        while true {
            let turn = turn(ended: ended.raw, until: .max)
            if let signal = turn.signal {
                wasStopRequested = wasStopRequested || signal == SIGTERM || signal == SIGINT
                kill(child, signal)
            }
            if turn.hasEnded {
                var status: Int32 = 0
                waitpid(child, &status, 0)
                if drainer == .daemon {
                    drainer = .nobody(since: clock.monotonicMicroseconds())
                }
                return (ChildCommand.exitStatus(status), wasStopRequested)
            }
        }
    }

    /// Waits before the daemon is started again; whether a signal says that it is to stay away.
    private func isStoppedWhileWaiting() throws(SystemError) -> Bool {
        let end = clock.monotonicMicroseconds() + backoff
        while clock.monotonicMicroseconds() < end {
            if let signal = turn(ended: -1, until: end).signal, signal == SIGTERM || signal == SIGINT {
                return true
            }
        }
        return false
    }

    /// Waits for what comes next, until `limit` (monotonic microseconds) at most, and deals with what concerns the kept
    /// descriptors.
    private func turn(ended: Int32, until limit: Int64) -> (signal: Int32?, hasEnded: Bool) {
        let descriptors = [ended, socket.raw, signals.raw, lease.descriptor, store.readyDescriptor]
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let due = min(limit, drainDeadline)
        let wait = due == .max ? -1 : Int32(clamping: max(0, (due - clock.monotonicMicroseconds() + 999) / 1000))
        _ = poll(&polled, nfds_t(polled.count), wait)
        while receive() {}
        if polled[3].revents != 0, lease.wasFreed(), drainer == .daemon {
            drainer = .nobody(since: clock.monotonicMicroseconds())
        }
        if clock.monotonicMicroseconds() >= drainDeadline {
            store.beginDraining()
            drainer = .keeper
        }
        store.drain()
        return (polled[2].revents != 0 ? signals.take() : nil, polled[0].revents != 0)
    }

    /// When this process begins to drain, in monotonic microseconds.
    private var drainDeadline: Int64 {
        switch drainer {
        case .daemon, .keeper: .max
        case .promised(let since): since + Self.promiseLimit
        case .nobody(let since): since + Self.drainAfter
        }
    }

    // MARK: - What the daemon says

    /// Takes one message of the daemon's; whether there was one.
    private func receive() -> Bool {
        var text = [UInt8](repeating: 0, count: 4096)
        var number: Int32 = -1
        let count = gl_receive_descriptor(socket.raw, &text, text.count, &number)
        guard count >= 0 else {
            return false
        }
        let descriptor = number >= 0 ? Descriptor(owning: number) : nil
        let message = String(decoding: text.prefix(count), as: UTF8.self)
        switch message {
        case DescriptorKeeper.take: leaveToDaemon()
        case DescriptorKeeper.held: arm()
        default: take(message, descriptor)
        }
        return true
    }

    private func leaveToDaemon() {
        do throws(SystemError) {
            try store.endDraining()
        } catch {
            diagnostics.log(.error, "what was read while no daemon ran cannot be told of: \(error)")
        }
        drainer = .promised(since: clock.monotonicMicroseconds())
    }

    private func arm() {
        drainer = .daemon
        lease.watch()
    }

    private func take(_ message: String, _ descriptor: consuming Descriptor?) {
        var words: [Substring: Substring] = [:]
        for line in message.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            words[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        let name = words["FDNAME"].map(String.init) ?? "stored"
        if words["READY"] == "1" {
            hasBeenReady = true
        }
        if words["FDSTOREREMOVE"] == "1" {
            store.remove(name)
        }
        guard words["FDSTORE"] == "1" else {
            return
        }
        do throws(SystemError) {
            guard let descriptor else {
                throw SystemError("receive \(name)", code: EMFILE)
            }
            try store.keep(name, descriptor)
        } catch {
            diagnostics.log(.error, "a descriptor is not kept, and a crash would cut it off: \(error)")
        }
    }
}

/// Tells when a lease that is held becomes free, on a thread of its own.
private final class LeaseWatch {
    private let lease: ThreadLease
    private let freed: Int32
    private let wanted = OneShot()
    private var isWatching = false

    init(_ path: String) throws(SystemError) {
        let lease = try ThreadLease(creating: path)
        let freed = try systemCall("eventfd") { gl_eventfd() }
        self.lease = lease
        self.freed = freed
        _ = try WorkerThread(name: "lease") { [wanted] in
            while true {
                wanted.wait()
                lease.awaitFree()
                var one: UInt64 = 1
                _ = write(freed, &one, 8)
            }
        }
    }

    /// Readable when the lease was found to be free.
    var descriptor: Int32 { freed }

    /// Waits, from now on, for the lease to be free, if it does not do so already.
    func watch() {
        if !isWatching {
            isWatching = true
            wanted.signal()
        }
    }

    /// Whether the lease, which was found to be free, is free still. When the next daemon holds it, that one's end is
    /// waited for.
    func wasFreed() -> Bool {
        var count: UInt64 = 0
        guard read(freed, &count, 8) == 8 else {
            return false
        }
        isWatching = false
        guard !lease.isFree else {
            return true
        }
        watch()
        return false
    }
}
