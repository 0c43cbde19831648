import Capture
import CLinux
import ConsoleHub
import ControlAPI
import Glibc
import LogModel
import LogStore
import Platforms
import Synchronization
import SystemIO

/// `guestlog serve`: everything wired together, from start to stop.
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
    /// What libvirt tells of its VMs.
    let domains = DomainDirectory()
    private let domainWatch: DomainWatch
    private let signals: SignalQueue
    private let heartbeat: Heartbeat
    private var server: ControlServer?
    /// Where this program lay when it began: an upgrade renames another one over it, and that is what replaces us.
    private let program: String

    /// The program's version.
    public static let version = "0.1.0"

    /// Why the daemon ended.
    private enum Ending {
        case stop
        case replace
    }

    /// How long a stop waits for a disk that hangs before it lets go of consoles that nobody else holds, in seconds.
    private static let stopLimit = 5

    /// A daemon with `configuration`, which came from `file` if it is to be read again on SIGHUP. Nothing here waits for
    /// the store's disk. Throws EWOULDBLOCK when another daemon has the runtime folder.
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

    /// Runs until SIGTERM or SIGINT, or until it is replaced by a new image of itself on SIGUSR2.
    public func run() throws {
        try LinuxFileSystem().makeDirectory(configuration.runtime + "/consoles")
        do {
            try begin()
        } catch {
            // Consoles that came over are somebody's still.
            stopCapture(isHeld: manager.isPresent)
            throw error
        }
        switch serveSignals() {
        case .stop: stop()
        case .replace: try replaceImage()
        }
    }

    /// Consoles that came over are drained first; then the store is waited for, then others are reached.
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
        let server = ControlServer(
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
                "\(configuration.runtime) is on a disk: guests may have to wait for it; put runtime on tmpfs, as /run is"
            )
        }
        manager.notify("READY=1\nSTATUS=capturing")
    }

    /// Waits for the store's disk, however long it takes: consoles are drained meanwhile. A disk that is full or fails is
    /// not waited for: capture tries it again, and the API tells of it.
    private func awaitStore() throws(SystemError) {
        while try !capture.awaitStore(seconds: Self.storeInterval, ignoringTransientErrors: true) {
            diagnostics.log(.warning, "the store \(configuration.store) does not answer: waiting for its disk")
            // The service manager would end a start that takes longer than it expects.
            manager.notify("STATUS=waiting for the store\nEXTEND_TIMEOUT_USEC=\(2 * Self.storeInterval * 1_000_000)")
        }
    }

    /// How often it is told that the store is waited for, in seconds.
    private static let storeInterval = 10

    /// Ends. The service manager has the consoles still, and the next daemon gets them; without one, or with a keeper,
    /// which stays only until we end, they are closed.
    private func stop() {
        manager.notify("STOPPING=1")
        domainWatch.stop()
        stopCapture(isHeld: manager.isPresent && keeper == nil)
        diagnostics.log(.notice, "stopped")
        diagnostics.flush()
    }

    /// Ends capture. Consoles are drained until all that touches a disk has ended; those that somebody else `isHeld` by
    /// would have nobody to drain them otherwise, so a disk that hangs is waited for.
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
        // Twice as often as the watchdog wants it.
        let interval = manager.watchdogMicroseconds.map { Int32(clamping: $0 / 2000) } ?? -1
        while true {
            if let signal = signals.next(milliseconds: interval), let ending = handle(signal: signal) {
                return ending
            }
            // The shards must answer; the writer need not: a disk that hangs is no reason to be restarted.
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
            diagnostics.log(.notice, "no configuration file to read again")
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
            diagnostics.log(.notice, "configuration read again")
            for name in configuration.fixedSettings(changedIn: fresh) {
                diagnostics.log(.warning, "\(name) has changed: that counts after a restart")
            }
        } catch {
            diagnostics.log(.error, "configuration not taken, the old one stays: \(error)")
        }
        manager.notify("READY=1")
    }

    // MARK: - Upgrade in place

    /// Whether the program that lies on disk now runs at all.
    private func canBeReplaced() -> Bool {
        do throws(SystemError) {
            _ = try ProgramImage.version(of: program)
            return true
        } catch {
            diagnostics.log(.error, "\(program) cannot take over: \(error); the program that runs goes on")
            return false
        }
    }

    /// Becomes the program that lies on disk now, with the same sockets and consoles. They are drained until nothing keeps
    /// the exec waiting any more.
    private func replaceImage() throws {
        // Not "stopping": systemd would wait for our end, and make it.
        manager.notify("RELOADING=1\nMONOTONIC_USEC=\(SystemClock().monotonicMicroseconds())")
        domainWatch.stop()
        let haveEnded = capture.prepareToStop()
        StuckThreads.awaitNone()
        let consoles = hub.stop(passedOn: true)
        capture.finish(haveEnded: haveEnded, mayWait: false)
        diagnostics.flush()
        PassedDescriptors.pass(consoles + listeners.passed)
        let error = ProgramImage.replace(by: program)
        diagnostics.log(.error, "\(error); the program that ran goes on")
        throw ProgramImage.replace(by: "/proc/self/exe")
    }
}

/// The settings that a reload changes while others read them.
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

/// Whether the loops still turn: each must have answered the last question before the next is put.
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
