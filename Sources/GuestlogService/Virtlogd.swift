// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO
import VirtLogManager

/// `guestlog virtlogd`: libvirt's log daemon, in a process of its own.
///
/// SIGUSR1, or SIGUSR2, replaces the image by the program at the path it was started from, with all logs, as virtlogd
/// does: a new version of this program, or virtlogd itself.
public final class Virtlogd {
    /// The command line options, as virtlogd has them.
    public struct Options: Sendable {
        /// virtlogd.conf; nil: the usual one, if it exists.
        public var settings: String?
        /// The file for the process id; nil: the usual one.
        public var processFile: String?
        /// The socket; nil: libvirt's.
        public var socket: String?
        /// Seconds without clients and logs after which the daemon ends; nil: never.
        public var timeout: Int?

        public init(
            settings: String? = nil,
            processFile: String? = nil,
            socket: String? = nil,
            timeout: Int? = nil
        ) {
            self.settings = settings
            self.processFile = processFile
            self.socket = socket
            self.timeout = timeout
        }
    }

    private let settings: VirtlogdSettings
    private let paths: VirtlogdPaths
    private let process: DaemonProcess
    private let capture: CaptureService
    private let control: EventLoop
    private let manager: LogManager
    private let server: LogManagerServer
    private let table: LogTable
    private var socket: ListeningSocket?
    private var processFile: ProcessFile?

    /// A daemon that stores its logs as `configuration` says.
    public init(_ options: Options, _ configuration: Configuration) throws {
        paths = VirtlogdPaths(options, runtime: configuration.runtime)
        settings = try Self.settings(options, paths)
        // Root's own, also where the runtime folder is that of `guestlog serve`: it tells what root writes to.
        mkdir(paths.runtime, 0o750)
        process = try DaemonProcess(
            replacedBy: CommandLine.arguments[0],
            // virtlogd has SIGUSR1, `guestlog serve` SIGUSR2; the default action of either would end all logs.
            on: [SIGUSR1, SIGUSR2],
            logLevel: configuration.logLevel,
            Self.captureOptions(configuration, paths)
        )
        capture = process.capture
        control = try EventLoop()
        var managing = Self.managing(configuration)
        managing.limits = settings.limits
        manager = LogManager(managing, capture: capture, loop: control)
        table = LogTable(in: paths.runtime + "/held", service: process.service)
        server = LogManagerServer(
            manager,
            user: geteuid(),
            limit: settings.clients,
            idleTime: options.timeout.map { Int64($0) * 1_000_000 },
            onRefused: { [diagnostics = process.diagnostics] in diagnostics.log(.warning, $0) },
            onIdle: { kill(getpid(), SIGTERM) }
        )
    }

    /// Throws what would keep a daemon with these options from beginning. Changes nothing. Returns what would not work as
    /// with the log daemon that it is to replace.
    public static func check(_ options: Options, _ configuration: Configuration) throws -> [String] {
        let paths = VirtlogdPaths(options, runtime: configuration.runtime)
        _ = try settings(options, paths)
        let capture = captureOptions(configuration, paths)
        try DaemonFolders.check(capture.inflight, socket: paths.socket)
        let previous = PreviousDaemon(socket: paths.socket)
        try CaptureService.check(capture, willEnd: previous.isIn)
        let managing = Self.managing(configuration)
        return previous.otherProgramsLogs.filter { !managing.allows($0) }.map { path in
            "\(path) is not below \(managing.allowedSetting): its domain can write to it until it ends, and cannot be "
                + "started again before the folder is added there"
        }
    }

    /// Whether this process has been a log daemon until now, this program or virtlogd: its logs are for this process only.
    public static func isContinued(_ options: Options, _ configuration: Configuration) -> Bool {
        let paths = VirtlogdPaths(options, runtime: configuration.runtime)
        return PassedDescriptors.areFromPreviousImage || LogManagerState.isLeft(at: paths.state)
    }

    private static func settings(_ options: Options, _ paths: VirtlogdPaths) throws -> VirtlogdSettings {
        let file = options.settings ?? (access(paths.settings, F_OK) == 0 ? paths.settings : nil)
        return try file.map { try VirtlogdSettings(file: $0) } ?? VirtlogdSettings()
    }

    private static func managing(_ configuration: Configuration) -> LogManager.Options {
        var options = LogManager.Options(
            allowed: geteuid() == 0 ? configuration.logFolders : nil,
            rate: configuration.logRate
        )
        options.allowedSetting += " of \(configuration.file ?? Configuration.usualFile)"
        return options
    }

    private static func captureOptions(
        _ configuration: Configuration,
        _ paths: VirtlogdPaths
    ) -> CaptureService.Options {
        var options = configuration.captureOptions(inflight: paths.runtime + "/inflight")
        // `guestlog serve` is usually not root, and owns the store.
        options.usesStoreOwner = true
        return options
    }

    /// Runs until SIGTERM or SIGINT, until it was idle for the configured time, or until it is replaced. Calls `onBegin`
    /// when it serves its socket, and before whenever the store's disk does not respond: clients wait at the socket then.
    public func run(onBegin: () -> Void = {}) throws {
        do {
            try begin(onWait: onBegin)
        } catch {
            // Other processes still hold the inherited logs.
            let isHeld = process.service.isPresent
            process.endCapture(isHeld: isHeld) {
                manager.suspend(passedOn: isHeld).forEach { close($0.descriptor) }
            }
            throw error
        }
        let thread = try WorkerThread(name: "gl-logs") { [control] in control.run() }
        // The settings are read at the start only, as virtlogd's are.
        let loops = capture.shards.map(\.loop) + [control]
        onBegin()
        let stopReason = process.serve("keeping logs", watching: loops, reload: capture.reopenPlainFiles)
        process.notify(stopReason)
        let isHeld = process.isHeld(after: stopReason)
        // Another program does not know the in-flight rings: what remained there would be missing in its files.
        let logs = process.endCapture(isHeld: isHeld, isContinuedElsewhere: stopReason.isOtherProgram) {
            control.stop()
            thread.join()
            server.stop()
            return manager.suspend(passedOn: isHeld)
        }
        switch stopReason {
        case .stop:
            socket?.removeFile()
            processFile?.remove()
        case .replace:
            try replace(with: logs, isOther: stopReason.isOtherProgram)
        }
    }

    /// The sockets and logs that a previous image, or virtlogd, has left in this process, or the service manager has
    /// stored.
    private func takeOver() -> (sockets: [Int32], logs: [LogManager.InheritedLog]) {
        let state = LogManagerState(leftAt: paths.state)
        state?.others.forEach { close($0) }
        var sockets = state?.sockets ?? []
        var passed: [String: Int32] = [:]
        process.takePassed { name, descriptor in
            if name == VirtlogdPaths.socketName {
                sockets.append(descriptor.release())
            } else if table.ownsName(name) {
                passed[name] = descriptor.release()
            } else {
                return false
            }
            return true
        }
        guard let state else {
            return (sockets, table.load(passed))
        }
        table.adopt(state.logs)
        return (sockets, state.logs)
    }

    private func begin(onWait: () -> Void) throws {
        let past = takeOver()
        let listening: ListeningSocket
        if let socket = past.sockets.first {
            listening = ListeningSocket(Descriptor(owning: socket), path: paths.socket)
        } else {
            try UnixSocket.check(path: paths.socket)
            try DaemonFolders.makeFolder(of: paths.socket)
            listening = try ListeningSocket(path: paths.socket, mode: 0o700)
        }
        socket = listening
        processFile = try ProcessFile(paths.processFile)
        // These logs have no other reader.
        try capture.start(retryingStore: !past.logs.isEmpty)
        manager.onOpen = { [table] in table.put($0) }
        manager.onEnd = { [table] in table.remove($0) }
        process.takeOver { discarded in
            past.logs.forEach { manager.resume($0, discarded: discarded[table.name(of: $0.path)]) }
        }
        try process.awaitStore(onWait: onWait)
        try server.listen(on: listening)
        process.diagnostics.log(
            .notice,
            "guestlog \(ProgramVersion.current) is libvirt's log daemon at \(paths.socket), store \(capture.store.root)"
        )
    }

    /// Replaces this image by the program at the start path, with the same logs. When that fails, this program
    /// continues with them.
    private func replace(with logs: [LogManager.InheritedLog], isOther: Bool) throws {
        let sockets = socket.map { [$0.descriptor] } ?? []
        try process.replace(unblocked: isOther) { () throws(SystemError) in
            try LogManagerState(sockets: sockets, logs: logs).write(to: paths.state)
            for descriptor in sockets + logs.map(\.descriptor) {
                _ = gl_fcntl(descriptor, F_SETFD, 0)
            }
        } orContinueWith: { () throws(SystemError) in
            unlink(paths.state)
            let named = logs.map { (name: table.name(of: $0.path), descriptor: $0.descriptor) }
            try PassedDescriptors.pass(named + sockets.map { (VirtlogdPaths.socketName, $0) })
        }
    }
}

extension DaemonProcess.StopReason {
    /// Whether the program that follows is not this one, but virtlogd.
    fileprivate var isOtherProgram: Bool {
        if case .replace(let version) = self { !version.contains("(guestlog)") } else { false }
    }
}
