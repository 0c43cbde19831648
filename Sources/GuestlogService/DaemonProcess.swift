// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogStore
import Synchronization
import SystemIO

/// What `serve` and `virtlogd` have in common: signals, the service manager or the keeper, a capture and its orderly
/// end, the watchdog, and replacement by another program.
final class DaemonProcess {
    let service = ServiceManager()
    let keeper: KeeperClient?
    let diagnostics: Diagnostics
    let capture: CaptureService
    /// The path of the program that replaces this image.
    private let program: String
    private let signals: SignalQueue
    private let replacing: [Int32]

    /// Why a daemon ends.
    enum StopReason {
        case stop
        /// It is replaced by the program with that version.
        case replace(version: String)
    }

    /// How long a stop waits for a blocked disk before it closes descriptors that no other process holds, in seconds.
    private static let stopLimit = 5
    /// How long a start waits for the in-flight data of a crash loop to be committed, in seconds.
    private static let recoveryLimit = 5
    /// The interval between messages about waiting for the store, in seconds.
    private static let storeInterval = 10

    /// A daemon that each of the signals `replacing` replaces by `program`. To be made before there are other threads, which
    /// leave the signals to this one. The store's disk is not touched. Throws EWOULDBLOCK when another daemon has the
    /// runtime folder.
    init(
        replacedBy program: String,
        on replacing: [Int32],
        logLevel: DiagnosticLevel,
        _ options: CaptureService.Options
    ) throws {
        self.program = program
        self.replacing = replacing
        WriteSignals.ignore()
        signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP] + replacing)
        keeper = KeeperClient(service)
        diagnostics = Diagnostics(threshold: logLevel)
        capture = try CaptureService(options, diagnostics: diagnostics)
    }

    // MARK: - Begin

    /// Passes each inherited descriptor to `take`, once, with its name. `take` returns whether this daemon knows it; the
    /// service manager's copies of others are removed.
    func takePassed<Failure: Error>(
        _ take: (String, consuming Descriptor) throws(Failure) -> Bool
    ) throws(Failure) {
        try PassedDescriptors.take { name, descriptor throws(Failure) in
            if try !take(name, descriptor) {
                // Nobody would read the manager's copy, and its other end might wait for that.
                service.removeStored(name)
            }
        }
    }

    /// Drains guests from now on in place of the keeper, if there is one. `discarded` gets what it has discarded, by
    /// the descriptors' names.
    func takeOver(_ discarded: ([String: DiscardedOutput]) -> Void) {
        guard let keeper, let shard = capture.shards.first else {
            discarded([:])
            return
        }
        var table: [String: DiscardedOutput] = [:]
        do throws(SystemError) {
            table = try keeper.takeOver()
        } catch {
            diagnostics.log(.warning, "\(error): what it has discarded is not counted")
        }
        discarded(table)
        // A keeper that is stopped gets both messages when it goes on.
        let lease = shard.loop.perform { Result { () throws(SystemError) in try keeper.acquireLease() } }
        if case .failure(let error) = lease {
            capture.problems.report(
                "keeper",
                "\(error): it may read consoles beside this daemon; end 'guestlog keep' and start it again",
                .error,
                to: diagnostics
            )
        }
    }

    /// Waits for the store's disk without a time limit, while guests are drained, and for some seconds for what a crash
    /// loop has left. A disk that is full or fails is not waited for: capture retries, and the problem is reported.
    /// Calls `onWait` at each report that the disk does not respond.
    func awaitStore(onWait: () -> Void = {}) throws(SystemError) {
        while try !capture.awaitStore(seconds: Self.storeInterval, ignoringRetriedErrors: true) {
            diagnostics.log(.warning, "the store \(capture.store.root) does not respond: waiting for its disk")
            // The service manager would end a start that exceeds its time limit.
            service.notify("STATUS=waiting for the store\nEXTEND_TIMEOUT_USEC=\(2 * Self.storeInterval * 1_000_000)")
            onWait()
        }
        capture.awaitRecovery(seconds: Self.recoveryLimit)
    }

    // MARK: - Run

    /// Reports that the daemon is ready, and waits until a signal ends it. Meanwhile SIGHUP calls `reload`, and the
    /// service manager's watchdog is notified while all `loops` run. A blocked disk is no reason for a restart.
    func serve(_ status: String, watching loops: [EventLoop], reload: () -> Void) -> StopReason {
        service.notify("READY=1\nSTATUS=\(status)")
        let heartbeat = Heartbeat(loops)
        // Twice in each watchdog interval.
        let interval = service.watchdogMicroseconds.map { Int32(clamping: $0 / 2000) } ?? -1
        while true {
            if let signal = signals.next(milliseconds: interval), let stopReason = handle(signal, reload) {
                return stopReason
            }
            if interval > 0, heartbeat.isAlive() {
                service.notify("WATCHDOG=1")
            }
        }
    }

    /// Has the process end as SIGTERM does; from any thread.
    static func requestStop() {
        kill(getpid(), SIGTERM)
    }

    private func handle(_ signal: Int32, _ reload: () -> Void) -> StopReason? {
        switch signal {
        case SIGHUP:
            reload()
            return nil
        case _ where replacing.contains(signal):
            return replacementVersion().map { .replace(version: $0) }
        default:
            return .stop
        }
    }

    /// Runs `body`, which reads the configuration again.
    func reloading(_ body: () -> Void) {
        notifyReloading()
        body()
        service.notify("READY=1")
    }

    private func notifyReloading() {
        service.notify("RELOADING=1\nMONOTONIC_USEC=\(SystemClock().monotonicMicroseconds())")
    }

    /// The version of the program that replaces this one; nil when it does not run at all, or refuses to begin.
    private func replacementVersion() -> String? {
        do {
            let version = try ProgramImage.version(of: program)
            try ReplacementCheck(command: [program] + CommandLine.arguments.dropFirst()).run()
            return version
        } catch {
            diagnostics.log(.error, "\(program) cannot take over: \(error); the running program continues")
            return nil
        }
    }

    // MARK: - End

    /// Notifies the service manager of the end.
    func notify(_ stopReason: StopReason) {
        switch stopReason {
        case .stop: service.notify("STOPPING=1")
        // Not "stopping": systemd would wait for the end of this process, and enforce it.
        case .replace: notifyReloading()
        }
    }

    /// Whether another process has the guests' descriptors after this one: the next image, or the service manager. The
    /// keeper ends with this process.
    func isHeld(after stopReason: StopReason) -> Bool {
        switch stopReason {
        case .stop: service.isPresent && keeper == nil
        case .replace: true
        }
    }

    /// Ends capture; `release` ends what reads from the guests. They are drained until all threads that touch the disk
    /// have ended. While another process holds their descriptors nobody would drain them, so a blocked disk is waited
    /// for before; else `stopLimit`, and, where the next program does not know the rings, after it.
    func endCapture<Released>(
        isHeld: Bool,
        isContinuedElsewhere: Bool = false,
        _ release: () -> Released
    ) -> Released {
        let haveEnded = capture.prepareToStop(within: isHeld ? nil : Self.stopLimit)
        if isHeld {
            StuckThreads.awaitNone()
        }
        let released = release()
        capture.finish(haveEnded: haveEnded, mayWait: !isHeld, isContinuedElsewhere: isContinuedElsewhere)
        return released
    }

    /// Replaces this image after `prepare` has passed the descriptors on. When that fails, this program begins anew, with
    /// what `prepareOwn` passes on. Never returns; throws when that fails too.
    func replace(
        unblocked: Bool = false,
        _ prepare: () throws(SystemError) -> Void,
        orContinueWith prepareOwn: () throws(SystemError) -> Void
    ) throws(SystemError) {
        do throws(SystemError) {
            diagnostics.flush()
            try prepare()
            throw ProgramImage.replace(by: program, unblocked: unblocked)
        } catch {
            diagnostics.log(.error, "\(error); the running program continues")
        }
        try prepareOwn()
        throw ProgramImage.replace(by: "/proc/self/exe")
    }
}

/// Detects event loops that no longer run: each must have answered the last request before the next is posted.
private final class Heartbeat {
    private let loops: [EventLoop]
    private let responses = ResponseCount()
    private var asked = 0

    private final class ResponseCount: Sendable {
        let count = Atomic(0)
    }

    init(_ loops: [EventLoop]) {
        self.loops = loops
    }

    func isAlive() -> Bool {
        guard responses.count.load(ordering: .relaxed) == asked else {
            return false
        }
        asked += loops.count
        for loop in loops {
            loop.post { [responses] in responses.count.wrappingAdd(1, ordering: .relaxed) }
        }
        return true
    }
}
