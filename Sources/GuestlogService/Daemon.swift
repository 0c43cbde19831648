// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import ConsoleHub
import HTTPAPI
import Glibc
import LogModel
import LogStore
import Libvirt
import Synchronization
import SystemIO

/// `guestlog serve`: the daemon, from start to stop.
public final class Daemon {
    private let configurationFile: String?
    private let configuration: Configuration
    private let live: LiveSettings
    private let manager = ServiceManager()
    private let keeper: DescriptorKeeper?
    private let diagnostics: Diagnostics
    private let capture: CaptureService
    private let hub: ConsoleHub
    private let listeners: APIListeners
    /// libvirt's domains.
    let domains = DomainDirectory()
    private let domainWatch: DomainWatch
    private let signals: SignalQueue
    private let heartbeat: Heartbeat
    private var server: APIServer?
    /// The program's path at the start: an upgrade renames another file over it, which replaces this image.
    private let program: String

    /// The program's version.
    public static let version = "0.1.0"

    /// Why the daemon ends.
    private enum Ending {
        case stop
        case replace
    }

    /// How long a stop waits for a blocked disk before it closes consoles that no other process holds, in seconds.
    private static let stopLimit = 5

    /// A daemon with `configuration`, which was read from `file` if SIGHUP is to read it again. The store's disk is not
    /// touched. Throws EWOULDBLOCK when another daemon has the runtime folder.
    public init(_ configuration: Configuration, file: String?) throws {
        self.configuration = configuration
        configurationFile = file
        program = try ProgramImage.path()
        signal(SIGPIPE, SIG_IGN)
        signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP, SIGUSR2])
        keeper = DescriptorKeeper(manager)
        diagnostics = Diagnostics(threshold: configuration.logLevel)
        live = LiveSettings(configuration)
        var options = configuration.captureOptions(inflight: configuration.runtime + "/inflight")
        options.abandoned = RunFolder.abandoned(in: configuration.runtime)
        options.isExclusive = true
        options.quota = { [live] in live.quota(of: $0) }
        capture = try CaptureService(options, diagnostics: diagnostics)
        hub = try ConsoleHub(Self.hubOptions(configuration), capture: capture, manager: manager)
        listeners = APIListeners(configuration, diagnostics: diagnostics, problems: capture.problems)
        domainWatch = try DomainWatch(
            configuration.libvirt,
            directory: domains,
            diagnostics: diagnostics,
            onChange: LibvirtConsoles(hub).follow
        )
        heartbeat = Heartbeat(capture.shards.map(\.loop))
    }

    private static func hubOptions(_ configuration: Configuration) -> ConsoleHub.Options {
        ConsoleHub.Options(
            patterns: configuration.patterns,
            passThroughFolder: configuration.runtime + "/consoles",
            table: configuration.runtime + "/held"
        )
    }

    /// Runs until SIGTERM or SIGINT, or until SIGUSR2 replaces the image.
    public func run() throws {
        try LinuxFileSystem().makeDirectory(configuration.runtime + "/consoles")
        do {
            try begin()
        } catch {
            // Other processes still hold the inherited consoles.
            stopCapture(isHeld: manager.isPresent)
            throw error
        }
        switch serveSignals() {
        case .stop: stop()
        case .replace: try replaceImage()
        }
    }

    /// Drains inherited consoles first, then waits for the store, then connects the others.
    private func begin() throws {
        try PassedDescriptors.take { name, descriptor in
            if try !listeners.inherit(name, descriptor) {
                _ = hub.inherit(name, descriptor)
            }
        }
        try capture.start()
        if let keeper {
            hub.takeDiscarded(keeper.takeOver())
        }
        hub.adoptInherited(configuration.consoles)
        if let keeper, let shard = capture.shards.first {
            shard.loop.perform { keeper.acquireLease() }
        }
        try awaitStore()
        let server = APIServer(
            capture: capture,
            hub: hub,
            tokens: TokenRegister(in: capture.store),
            domains: domains,
            nova: configuration.nova,
            version: Self.version
        )
        self.server = server
        try hub.follow(configuration.consoles)
        try listeners.open(server)
        try domainWatch.start()
        diagnostics.log(
            .notice,
            "guestlog \(Self.version) serves \(configuration.socket), store \(configuration.store)"
        )
        if !gl_is_in_memory(configuration.runtime) {
            diagnostics.log(
                .warning,
                "\(configuration.runtime) is on a disk, which guests may have to wait for; set runtime to a folder on tmpfs, such as /run"
            )
        }
        manager.notify("READY=1\nSTATUS=capturing")
    }

    /// Waits for the store's disk without a time limit, while consoles are drained. A disk that is full or fails is not
    /// waited for: capture retries, and the API reports the problem.
    private func awaitStore() throws(SystemError) {
        while try !capture.awaitStore(seconds: Self.storeInterval, ignoringTransientErrors: true) {
            diagnostics.log(.warning, "the store \(configuration.store) does not respond: waiting for its disk")
            // The service manager would end a start that exceeds its time limit.
            manager.notify("STATUS=waiting for the store\nEXTEND_TIMEOUT_USEC=\(2 * Self.storeInterval * 1_000_000)")
        }
    }

    /// The interval between messages about waiting for the store, in seconds.
    private static let storeInterval = 10

    /// Ends. The service manager keeps the consoles for the next daemon. Without one, or with a keeper, which ends with
    /// this process, they are closed.
    private func stop() {
        manager.notify("STOPPING=1")
        domainWatch.stop()
        stopCapture(isHeld: manager.isPresent && keeper == nil)
        diagnostics.log(.notice, "stopped")
        diagnostics.flush()
    }

    /// Ends capture. Consoles are drained until all threads that touch the disk have ended. Consoles that another
    /// process also `isHeld` by would not be drained otherwise, so a blocked disk is waited for.
    private func stopCapture(isHeld: Bool) {
        let haveEnded = capture.prepareToStop(within: isHeld ? nil : Self.stopLimit)
        if isHeld {
            StuckThreads.awaitNone()
        }
        hub.stop(passedOn: isHeld).forEach { close($0.descriptor) }
        capture.finish(haveEnded: haveEnded, mayWait: !isHeld)
    }

    // MARK: - Signals and the watchdog

    private func serveSignals() -> Ending {
        // Twice in each watchdog interval.
        let interval = manager.watchdogMicroseconds.map { Int32(clamping: $0 / 2000) } ?? -1
        while true {
            if let signal = signals.next(milliseconds: interval), let ending = handle(signal: signal) {
                return ending
            }
            // The shards must answer; the writer need not: a blocked disk is no reason for a restart.
            if interval > 0, heartbeat.isAlive() {
                manager.notify("WATCHDOG=1")
            }
        }
    }

    private func handle(signal: Int32) -> Ending? {
        switch signal {
        case SIGHUP:
            reload()
            return nil
        case SIGUSR2:
            return canBeReplaced() ? .replace : nil
        default:
            return .stop
        }
    }

    private func reload() {
        guard let configurationFile else {
            diagnostics.log(.notice, "there is no configuration file to reload")
            return
        }
        manager.notify("RELOADING=1\nMONOTONIC_USEC=\(SystemClock().monotonicMicroseconds())")
        do throws(ConfigurationError) {
            let fresh = try Configuration(file: configurationFile)
            live.replace(with: fresh)
            diagnostics.setThreshold(fresh.logLevel)
            listeners.renewIdentity()
            hub.setPatterns(fresh.patterns)
            fresh.consoles.forEach { hub.add($0) }
            diagnostics.log(.notice, "configuration reloaded")
            for name in configuration.fixedSettings(changedIn: fresh) {
                diagnostics.log(.warning, "\(name) has changed: this takes effect after a restart")
            }
        } catch {
            diagnostics.log(.error, "configuration not reloaded, the old one stays in use: \(error)")
        }
        manager.notify("READY=1")
    }

    // MARK: - Upgrade in place

    /// Whether the program on disk runs at all.
    private func canBeReplaced() -> Bool {
        do throws(SystemError) {
            _ = try ProgramImage.version(of: program)
            return true
        } catch {
            diagnostics.log(.error, "\(program) cannot take over: \(error); the running program continues")
            return false
        }
    }

    /// Replaces this image by the program on disk, with the same sockets and consoles. They are drained until nothing
    /// delays the exec any more.
    private func replaceImage() throws {
        // Not "stopping": systemd would wait for the end of this process, and enforce it.
        manager.notify("RELOADING=1\nMONOTONIC_USEC=\(SystemClock().monotonicMicroseconds())")
        domainWatch.stop()
        let haveEnded = capture.prepareToStop()
        StuckThreads.awaitNone()
        let consoles = hub.stop(passedOn: true)
        capture.finish(haveEnded: haveEnded, mayWait: false)
        diagnostics.flush()
        PassedDescriptors.pass(consoles + listeners.passed)
        let error = ProgramImage.replace(by: program)
        diagnostics.log(.error, "\(error); the running program continues")
        throw ProgramImage.replace(by: "/proc/self/exe")
    }
}

/// The settings that a reload changes while other threads read them.
private final class LiveSettings: Sendable {
    private let configuration: Mutex<Configuration>

    init(_ configuration: Configuration) {
        self.configuration = Mutex(configuration)
    }

    func replace(with fresh: Configuration) {
        configuration.withLock { $0 = fresh }
    }

    func quota(of vm: VMIdentity) -> Quota {
        configuration.withLock { $0.quota(of: vm) }
    }
}

/// Detects event loops that no longer run: each must have answered the last request before the next is posted.
private final class Heartbeat {
    private let loops: [EventLoop]
    private let answers = Answers()
    private var asked = 0

    private final class Answers: Sendable {
        let count = Atomic(0)
    }

    init(_ loops: [EventLoop]) {
        self.loops = loops
    }

    func isAlive() -> Bool {
        guard answers.count.load(ordering: .relaxed) == asked else {
            return false
        }
        asked += loops.count
        for loop in loops {
            loop.post { [answers] in answers.count.wrappingAdd(1, ordering: .relaxed) }
        }
        return true
    }
}
