// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO

/// `guestlog keep`: does for a daemon what systemd does, on hosts without it. It starts the daemon, stores the
/// descriptors that the daemon sends by systemd's protocol (sd_notify(3), `FDSTORE=1`), and restarts it with them after
/// a crash.
///
/// Stored descriptors stay open, so a writer does not see its other end closed. While the daemon does not drain them,
/// because it has died, is being replaced, or waits for a disk before it begins, the keeper does (`KeeperClient`).
public final class Keeper {
    private let command: [String]
    /// Files in memory that are shared with the daemon.
    private let files: (lease: MemoryFile, discarded: MemoryFile)
    private let socket: NotificationSocket
    private let signals: SignalQueue
    private let diagnostics = Diagnostics()
    private let store: KeptDescriptors
    private let lease: LeaseWatch
    private let clock = SystemClock()
    private var backoff = Keeper.restartBackoff
    private var hasBeenReady = false
    private var drainer: Drainer

    /// Which process drains the stored descriptors.
    private enum Drainer: Equatable {
        /// The daemon, as long as the lease is held.
        case daemon
        /// The daemon, which has announced that it will begin to.
        case promised(since: Int64)
        /// None.
        case absent(since: Int64)
        /// This process.
        case keeper
    }

    /// Signals that are passed to the daemon.
    private static let passedOn = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]
    /// How long guests may wait before their output is read and discarded, in microseconds: a restart takes less, and
    /// the output of that time fits into the kernel's buffers.
    private static let drainAfter: Int64 = 200_000
    /// How long the daemon may take from requesting the descriptors to draining them, in microseconds.
    private static let promiseLimit: Int64 = 2_000_000
    /// The delays before a daemon that could not begin is restarted.
    private static let restartBackoff = Backoff(first: 100_000, doublingLimit: 5_000_000, longest: 5_000_000)

    /// A keeper of the daemon that `command` starts, with the runtime folder `runtime`.
    public init(_ command: [String], runtime: String) throws {
        self.command = command
        try LinuxFileSystem().makeDirectories(runtime)
        socket = try NotificationSocket(bindingIn: runtime)
        signals = try SignalQueue(Self.passedOn)
        files = (lease: try MemoryFile("guestlog-lease"), discarded: try MemoryFile("guestlog-discarded"))
        store = KeptDescriptors(discardedPath: files.discarded.path)
        lease = try LeaseWatch(files.lease.path)
        drainer = .absent(since: clock.monotonicMicroseconds())
    }

    /// Runs until the daemon has ended in order or on request, or with an error while no descriptors are stored;
    /// returns its exit status, or 128 and the signal. Throws when the daemon cannot be started the first time.
    public func run() throws(SystemError) -> Int32 {
        var (status, wasStopRequested) = awaitEnd(try start())
        // A daemon that fails to begin, because of its configuration, has stored no descriptors.
        while status != 0, !wasStopRequested, status > 128 || !store.descriptors.isEmpty {
            backoff = hasBeenReady ? Self.restartBackoff : backoff
            let delay = hasBeenReady ? 0 : backoff.next()
            diagnostics.log(
                .error,
                "\(command[0]) ended with status \(status); restarting it with \(store.descriptors.count) descriptors"
            )
            guard !isStoppedWhileWaiting(delay), let ending = restart() else {
                break
            }
            (status, wasStopRequested) = ending
        }
        return status
    }

    /// Starts the daemon again and serves it until it ends; nil when a signal asks not to. What processes, memory or
    /// descriptors are short for now is tried again: if this process ended, all stored descriptors would be closed.
    private func restart() -> (status: Int32, wasStopRequested: Bool)? {
        while true {
            do throws(SystemError) {
                return awaitEnd(try start())
            } catch {
                diagnostics.log(.error, "cannot start the daemon, will try again: \(error)")
            }
            if isStoppedWhileWaiting(backoff.next()) {
                return nil
            }
        }
    }

    // MARK: - The daemon

    private func start() throws(SystemError) -> ChildProgram {
        setenv("NOTIFY_SOCKET", socket.address, 1)
        let paths = KeeperClient.Paths(lease: files.lease.path, discarded: files.discarded.path)
        setenv(KeeperClient.variable, paths.text, 1)
        setenv(PassedDescriptors.countVariable, String(store.descriptors.count), 1)
        setenv(PassedDescriptors.namesVariable, store.descriptors.map(\.name).joined(separator: ":"), 1)
        hasBeenReady = false
        // The environment must contain the child's process id, which only the child knows.
        let copies = store.descriptors.enumerated().map { (number: Int32(3 + $0), of: $1.descriptor) }
        return try ChildProgram(
            ["/bin/sh", "-c", "\(PassedDescriptors.processVariable)=$$ exec \"$@\"", "sh"] + command,
            .copies(copies)
        )
    }

    /// Serves the daemon until it ends; returns its status, and whether a signal asked it to end.
    private func awaitEnd(_ daemon: consuming ChildProgram) -> (status: Int32, wasStopRequested: Bool) {
        var wasStopRequested = false
        while true {
            let turn = turn(ended: daemon.ended.raw, until: .max)
            if let signal = turn.signal {
                wasStopRequested = wasStopRequested || signal == SIGTERM || signal == SIGINT
                daemon.send(signal)
            }
            if turn.hasEnded {
                if drainer == .daemon {
                    drainer = .absent(since: clock.monotonicMicroseconds())
                }
                return (daemon.wait(), wasStopRequested)
            }
        }
    }

    /// Waits for `delay` microseconds before the daemon is restarted; returns whether a signal asks not to restart it.
    private func isStoppedWhileWaiting(_ delay: Int64) -> Bool {
        let end = clock.monotonicMicroseconds() + delay
        while clock.monotonicMicroseconds() < end {
            if let signal = turn(ended: -1, until: end).signal, signal == SIGTERM || signal == SIGINT {
                return true
            }
        }
        return false
    }

    /// Waits for the next event, until `limit` (monotonic microseconds) at most, and handles those that concern the
    /// stored descriptors.
    private func turn(ended: Int32, until limit: Int64) -> (signal: Int32?, hasEnded: Bool) {
        let descriptors = [ended, socket.descriptor.raw, signals.raw, lease.descriptor, store.readyDescriptor]
        var polled = descriptors.map { pollfd($0) }
        let due = min(limit, drainDeadline)
        Poll.wait(for: &polled, microseconds: due == .max ? nil : due - clock.monotonicMicroseconds())
        while receive() {}
        if polled[3].revents != 0, lease.wasFreed(), drainer == .daemon {
            drainer = .absent(since: clock.monotonicMicroseconds())
        }
        if clock.monotonicMicroseconds() >= drainDeadline {
            beginDraining()
        }
        store.drain()
        return (polled[2].revents != 0 ? signals.take() : nil, polled[0].revents != 0)
    }

    /// Drains the stored descriptors in this process; when that is not possible now, it is tried again.
    private func beginDraining() {
        do throws(SystemError) {
            try store.beginDraining()
            drainer = .keeper
        } catch {
            diagnostics.log(.error, "cannot read the stored descriptors, will try again: \(error)")
            drainer = .absent(since: clock.monotonicMicroseconds())
        }
    }

    /// When this process begins to drain, in monotonic microseconds.
    private var drainDeadline: Int64 {
        switch drainer {
        case .daemon, .keeper: .max
        case .promised(let since): since + Self.promiseLimit
        case .absent(let since): since + Self.drainAfter
        }
    }

    // MARK: - Messages from the daemon

    /// Receives one message of the daemon; false when there is none.
    private func receive() -> Bool {
        var text = [UInt8](repeating: 0, count: 4096)
        var number: Int32 = -1
        let count = gl_receive_descriptor(socket.descriptor.raw, &text, text.count, &number)
        guard count >= 0 else {
            return false
        }
        let descriptor = number >= 0 ? Descriptor(owning: number) : nil
        let message = String(decoding: text.prefix(count), as: UTF8.self)
        switch message {
        case KeeperClient.take: leaveToDaemon()
        case KeeperClient.held: arm()
        default: handle(message, descriptor)
        }
        return true
    }

    private func leaveToDaemon() {
        do throws(SystemError) {
            try store.endDraining()
        } catch {
            diagnostics.log(.error, "cannot record what was discarded while no daemon ran: \(error)")
        }
        drainer = .promised(since: clock.monotonicMicroseconds())
    }

    private func arm() {
        drainer = .daemon
        lease.watch()
    }

    private func handle(_ message: String, _ descriptor: consuming Descriptor?) {
        var fields: [Substring: Substring] = [:]
        for line in message.split(separator: "\n") {
            let name = line.prefix { $0 != "=" }
            fields[name] = line.dropFirst(name.count + 1)
        }
        let name = fields["FDNAME"].map(String.init) ?? "stored"
        if fields["READY"] == "1" {
            hasBeenReady = true
        }
        if fields["FDSTOREREMOVE"] == "1" {
            store.remove(name)
        }
        guard fields["FDSTORE"] == "1" else {
            return
        }
        do throws(SystemError) {
            guard let descriptor else {
                throw SystemError("receive \(name)", code: EMFILE)
            }
            try store.keep(name, descriptor)
        } catch {
            diagnostics.log(.error, "cannot store a descriptor; a crash of the daemon would close it: \(error)")
        }
    }
}

/// Detects on a thread of its own that a lease was released.
private final class LeaseWatch {
    private let lease: ThreadLease
    private let freed: Int32
    private let wanted = Semaphore()
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

    /// Readable when the lease was found free.
    var descriptor: Int32 { freed }

    /// Waits for the lease to be free, if it does not wait already.
    func watch() {
        if !isWatching {
            isWatching = true
            wanted.signal()
        }
    }

    /// Whether the lease, which was found free, is still free. When the next daemon holds it, its release is waited
    /// for.
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
