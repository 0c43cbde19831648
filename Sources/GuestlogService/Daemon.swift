// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import ConsoleHub
import GuestCollector
import HTTPAPI
import Glibc
import LogModel
import LogStore
import Query
import Libvirt
import RuntimeSources
import Outputs
import Synchronization
import SystemIO
import Transforms

/// `guestlog serve`: the daemon, from start to stop.
public final class Daemon {
    private let configurationFile: String?
    private let configuration: Configuration
    private let live: LiveSettings
    private let process: DaemonProcess
    private let capture: CaptureService
    private let diagnostics: Diagnostics
    private let hub: ConsoleHub
    private let listeners: APIListeners
    /// libvirt's domains.
    let domains = DomainDirectory()
    private let domainWatch: DomainWatch
    private let storeWatcher: StoreWatcher
    /// The sources of records, once the store is open.
    private var sources: SourceService?
    /// The logs of KubeVirt's VMs on this node.
    private var nodeLogs: NodeLogs?
    private let collector: GuestCollector?
    private let outputs: OutputService

    /// A daemon with `configuration`, which was read from `file` if SIGHUP is to read it again. The store's disk is not
    /// touched. Throws EWOULDBLOCK when another daemon has the runtime folder.
    public init(_ configuration: Configuration, file: String?) throws {
        self.configuration = configuration
        configurationFile = file
        live = LiveSettings(configuration)
        var options = configuration.captureOptions(inflight: configuration.runtime + "/inflight")
        options.abandoned = RunFolder.abandoned(in: configuration.runtime)
        options.isExclusive = true
        options.quota = { [live] in live.quota(of: $0) }
        // An upgrade renames another file over this program's.
        process = try DaemonProcess(
            replacedBy: ProgramImage.path(),
            on: [SIGUSR2],
            logLevel: configuration.logLevel,
            options
        )
        capture = process.capture
        diagnostics = process.diagnostics
        hub = try ConsoleHub(Self.hubOptions(configuration), capture: capture, manager: process.service)
        listeners = APIListeners(configuration, diagnostics: diagnostics, problems: capture.problems)
        outputs = OutputService(
            configuration.outputs,
            store: capture.store,
            notifier: capture.notifier,
            clock: capture.clock,
            diagnostics: diagnostics
        ) { [problems = capture.problems] output, problem in
            if let problem {
                problems.raise("output \(output)", problem)
            } else {
                problems.clear("output \(output)")
            }
        }
        storeWatcher = try StoreWatcher(capture.store, capture.notifier) { [diagnostics] in
            diagnostics.log(.warning, $0)
        }
        domainWatch = try DomainWatch(
            configuration.libvirt,
            directory: domains,
            diagnostics: diagnostics,
            onChange: LibvirtConsoles(hub).follow
        )
        // A console's pattern has none at the moment, perhaps.
        let hasOtherWork = configuration.hasSources || !configuration.patterns.isEmpty
        collector = try configuration.collector.map { [capture, domains, diagnostics, hub] options in
            try GuestCollector(options, capture: capture) {
                domains.running(vsockContext: $0)
            } onIdle: {
                if !hasOtherWork, hub.definitions().isEmpty {
                    diagnostics.log(.notice, "stopping: no guest has been connected for collector.exit-when-idle")
                    DaemonProcess.requestStop()
                }
            }
        }
    }

    /// Throws what would keep a daemon with `configuration` from beginning. Changes nothing.
    public static func check(_ configuration: Configuration) throws(SystemError) {
        var options = configuration.captureOptions(inflight: configuration.runtime + "/inflight")
        options.isExclusive = true
        try DaemonFolders.check(options.inflight, socket: configuration.socket)
        try CaptureService.check(options, willEnd: PreviousDaemon(socket: configuration.socket).isIn)
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
            let isHeld = process.service.isPresent
            process.endCapture(isHeld: isHeld) { closeConsoles(isHeld: isHeld) }
            throw error
        }
        let loops = capture.shards.map(\.loop) + (collector.map { [$0.eventLoop] } ?? [])
        let stopReason = process.serve("capturing", watching: loops, reload: reload)
        process.notify(stopReason)
        let isReplaced = if case .replace = stopReason { true } else { false }
        listeners.stop(isReplaced: isReplaced)
        var passed = listeners.passed
        if isReplaced {
            passed += collector?.passListeners() ?? []
        }
        collector?.stop()
        storeWatcher.stop()
        outputs.stop()
        domainWatch.stop()
        nodeLogs?.stop()
        sources?.stop()
        let isHeld = process.isHeld(after: stopReason)
        switch stopReason {
        case .stop:
            // The service manager keeps the consoles for the next daemon; without one they are closed.
            process.endCapture(isHeld: isHeld) { closeConsoles(isHeld: isHeld) }
            diagnostics.log(.notice, "stopped")
            diagnostics.flush()
        case .replace:
            let consoles = process.endCapture(isHeld: isHeld) { hub.stop(passedOn: true) }
            try PassedDescriptors.pass(consoles + passed)
            try process.replace({}, orContinueWith: {})
        }
    }

    private func closeConsoles(isHeld: Bool) {
        hub.stop(passedOn: isHeld).forEach { close($0.descriptor) }
    }

    /// Drains inherited consoles first, then waits for the store, then connects the others.
    private func begin() throws {
        var hasConsoles = false
        try process.takePassed { name, descriptor in
            if try listeners.inherit(name, descriptor) {
                return true
            }
            if try collector?.inherit(name, descriptor) == true {
                return true
            }
            let isConsole = hub.inherit(name, descriptor)
            hasConsoles = hasConsoles || isConsole
            return isConsole
        }
        // These consoles have no other reader.
        try capture.start(retryingStore: hasConsoles)
        process.takeOver { discarded in
            hub.takeDiscarded(discarded)
            hub.adoptInherited(configuration.consoles)
        }
        try process.awaitStore()
        let server = APIServer(
            capture: capture,
            hub: hub,
            tokens: TokenRegister(in: capture.store),
            domains: domains,
            nova: configuration.nova,
            outputs: configuration.outputs.isEmpty ? nil : DaemonOutputs(service: outputs),
            charsets: { [live] in live.charsets },
            collector: { [collector] in collector?.state.json },
            version: ProgramVersion.current
        )
        try hub.follow(configuration.consoles)
        try listeners.open(server)
        try domainWatch.start()
        try startSources()
        try collector?.start()
        outputs.start()
        try storeWatcher.start()
        diagnostics.log(
            .notice,
            "guestlog \(ProgramVersion.current) serves \(configuration.socket), store \(configuration.store)"
        )
        if !gl_is_in_memory(configuration.runtime) {
            diagnostics.log(
                .warning,
                "the runtime folder \(configuration.runtime) is on a disk, and a slow disk delays guests; set runtime to a "
                    + "folder on tmpfs, such as one in /run"
            )
        }
    }

    private func startSources() throws {
        guard configuration.hasSources else {
            return
        }
        let sources = try SourceService(
            configuration.sources,
            pipeline: Pipeline(NodeSources.stages + configuration.pipeline.stages),
            into: capture,
            followsFiles: configuration.node != nil
        )
        self.sources = sources
        if let node = configuration.node {
            let logs = try NodeLogs(node, capture: capture, sources: sources)
            nodeLogs = logs
            try logs.start()
        }
    }

    private func reload() {
        capture.reopenPlainFiles()
        guard let configurationFile else {
            diagnostics.log(.notice, "there is no configuration file to reload")
            return
        }
        process.reloading { reload(configurationFile) }
    }

    private func reload(_ configurationFile: String) {
        do throws(ConfigurationError) {
            let fresh = try Configuration(file: configurationFile)
            live.replace(with: fresh)
            diagnostics.setThreshold(fresh.logLevel)
            listeners.renewIdentity()
            hub.setPatterns(fresh.patterns)
            fresh.consoles.forEach { hub.add($0) }
            collector?.setGuests(fresh.collector?.guests ?? [], fresh.collector?.patterns ?? [])
            diagnostics.log(.notice, "configuration reloaded")
            for name in configuration.fixedSettings(changedIn: fresh) {
                diagnostics.log(.warning, "\(name) has changed: this takes effect after a restart")
            }
        } catch {
            for fault in error.all {
                diagnostics.log(.error, "cannot reload the configuration; the old one stays in use: \(fault)")
            }
        }
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

    var charsets: CharsetRules { configuration.withLock { $0.charsets } }

    func quota(of vm: VMIdentity) -> Quota {
        configuration.withLock { $0.quota(of: vm) }
    }
}
