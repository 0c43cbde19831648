// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import NIOConcurrencyHelpers
import NIOPosix
import Query
import SystemIO

/// Runs one output: reads a batch, sends it, saves its position, waits for more.
final class OutputRunner: Sendable {
    let settings: OutputSettings
    private let destination: any OutputDestination
    let store: Store
    let files: OutputFiles
    private let threads: NIOThreadPool
    let clock: any HostClock
    let diagnostics: Diagnostics
    /// Called with the present problem, nil when there is none.
    private let report: @Sendable (String?) -> Void
    let wakeUps = WakeUps()
    let shared: NIOLockedValueBox<Shared>

    /// What other tasks read.
    struct Shared {
        var status: OutputStatus
        var progress: [StreamID: StreamProgress] = [:]
    }

    /// What belongs to the running task.
    struct Session {
        var delivery = Delivery()
        var progress: [StreamID: StreamProgress] = [:]
        var isUnsaved = false
        var lastSaved: Int64 = 0
        /// When the positions were loaded or saved, by the clock of the store.
        var saved = Timestamp.distantPast
        /// Whether a stream may end with a line that is not finished.
        var mayHaveUnfinished = true
        var problem = ReportedProblem()
        /// Whether `progress` says where to read.
        var hasBegun = false
        /// Whether the last read of the store has failed.
        var cannotRead = false
    }

    /// A command or the stop has interrupted the sending of a batch, which is read again from the saved position.
    private struct SendInterrupted: Error {}

    /// The pause after the store could not be read, in microseconds.
    private static let storePause: Int64 = 5_000_000

    init(
        _ settings: OutputSettings,
        destination: any OutputDestination,
        store: Store,
        folder: String,
        threads: NIOThreadPool,
        clock: any HostClock,
        diagnostics: Diagnostics,
        report: @escaping @Sendable (String?) -> Void
    ) {
        self.settings = settings
        self.destination = destination
        self.store = store
        files = OutputFiles(folder: folder, name: settings.name, fileSystem: store.fileSystem)
        self.threads = threads
        self.clock = clock
        self.diagnostics = diagnostics
        self.report = report
        let status = OutputStatus(name: settings.name.text, destination: settings.destination.summary)
        shared = NIOLockedValueBox(Shared(status: status))
    }

    /// Runs until `wakeUps` is stopped.
    func run() async {
        var session = Session()
        while !wakeUps.isStopped {
            do {
                try await deliver(&session)
            } catch is ReadTurn.Cancelled {
                continue
            } catch is SendInterrupted {
                continue
            } catch {
                session.cannotRead = true
                let words = "the store cannot be read: \(error)"
                update { ($0.activity, $0.problem) = (.failed, words) }
                raise(session.problem.report(words, now: clock.monotonicMicroseconds()))
                _ = await wakeUps.wait(microseconds: Self.storePause)
            }
        }
        if session.isUnsaved {
            // This task is cancelled, and would not be given a thread.
            let progress = session.progress
            _ = await Task { await write(progress, at: clock.now) }.value
        }
        await destination.close()
    }

    /// Delivers until a command changes where to read, or the output stops.
    private func deliver(_ session: inout Session) async throws {
        if !session.hasBegun {
            (session.progress, session.saved) = try await begin()
            session.hasBegun = true
        }
        let (progress, saved) = (session.progress, session.saved)
        shared.withLockedValue { $0.progress = progress }
        let source = try await onThread { [settings, store, destination, clock] in
            try RecordSource(
                settings,
                store: store,
                destination: destination,
                progress: progress,
                saved: saved,
                now: clock.now
            )
        }
        while !wakeUps.isStopped {
            if let command = wakeUps.takeCommand() {
                return await perform(command, &session)
            }
            source.note(wakeUps.takeChanges())
            let isFull = try await step(source, unfinishedSince: nil, &session)
            if !isFull, !wakeUps.isInterrupted {
                try await idle(source, &session)
            }
        }
    }

    /// Sends one batch; returns whether there is more.
    private func step(
        _ source: RecordSource,
        unfinishedSince silent: Timestamp?,
        _ session: inout Session
    ) async throws -> Bool {
        let batch = try await onThread { try source.next(unfinishedSince: silent) }
        if session.cannotRead {
            session.cannotRead = false
            clearProblem(&session, "reads the store again")
        }
        if !batch.items.isEmpty {
            session.mayHaveUnfinished = true
            update { $0.activity = .sending }
            guard await send(batch, &session) else {
                throw SendInterrupted()
            }
        }
        advance(&session, past: batch)
        if session.isUnsaved, clock.monotonicMicroseconds() - session.lastSaved >= OutputLimits.saving {
            await save(&session)
        }
        return batch.hasMore
    }

    /// Waits for more, after everything was sent.
    private func idle(_ source: RecordSource, _ session: inout Session) async throws {
        update { $0.activity = .idle }
        // Nothing waits for the destination: what it refused to take was skipped.
        clearProblem(&session, nil)
        if session.isUnsaved, await wakeUps.wait(microseconds: OutputLimits.saving, forChanges: true) {
            await save(&session)
        }
        while session.mayHaveUnfinished, await wakeUps.wait(microseconds: OutputLimits.silence, forChanges: true) {
            let silent = clock.now.advanced(byMicroseconds: -OutputLimits.silence)
            if try await step(source, unfinishedSince: silent, &session) {
                return
            }
            session.mayHaveUnfinished = try await onThread { source.hasUnfinished }
        }
        _ = await wakeUps.wait(microseconds: nil, forChanges: true)
        // What belongs together is sent together.
        _ = await wakeUps.wait(microseconds: settings.interval)
    }

    // MARK: - Sending

    /// Sends a batch until all of it is settled; false when that was interrupted.
    private func send(_ batch: OutputBatch, _ session: inout Session) async -> Bool {
        let owners = batch.owners
        var action = session.delivery.begin(owners.ofItems, ownerCount: owners.count)
        while true {
            switch action {
            case .send(let items):
                let result = await destination.send(items, of: batch)
                guard !Task.isCancelled else {
                    return false
                }
                let delivered = session.delivery.counters.delivered
                action = session.delivery.handle(result, random: Double.random(in: 0..<1))
                note(&session, action, hasDelivered: session.delivery.counters.delivered > delivered)
            case .wait(let microseconds):
                update { $0.activity = .waiting }
                _ = await wakeUps.wait(microseconds: microseconds)
                guard !wakeUps.isInterrupted else {
                    return false
                }
                update { $0.activity = .sending }
                action = session.delivery.resume()
            case .finish:
                await setAside(session.delivery.setAside, of: batch)
                return true
            }
        }
    }

    /// Publishes what the last answer has changed; `action` is what happens next.
    private func note(_ session: inout Session, _ action: Delivery.Action, hasDelivered: Bool) {
        let delivery = session.delivery
        let now = clock.now
        let pause = if case .wait(let pause) = action { pause } else { Int64(0) }
        let problem = delivery.problem.map { ReportedProblem.words($0, pause: pause, now: now) }
        update {
            $0.update(from: delivery)
            $0.problem = problem
            $0.lastDelivery = hasDelivered ? now : $0.lastDelivery
        }
        if let problem {
            raise(session.problem.fail(problem, pause: pause, now: clock.monotonicMicroseconds()))
        } else {
            clearProblem(&session, "\(settings.destination.summary) accepts records again")
        }
    }

    /// Ends the present problem, if there is one; `notice` says in the log how it has ended.
    private func clearProblem(_ session: inout Session, _ notice: String?) {
        update { $0.problem = nil }
        guard session.problem.end() else {
            return
        }
        if let notice {
            diagnostics.log(.notice, "output \(settings.name): \(notice)")
        }
        report(nil)
    }

    private func setAside(_ refusals: [Delivery.Refusal], of batch: OutputBatch) async {
        guard !refusals.isEmpty else {
            return
        }
        let now = clock.now
        var lines: [UInt8] = []
        for refusal in refusals {
            let item = batch.items[refusal.item]
            let record = Array(batch.bytes[item.range])
            lines += SetAsideFile.line(id: item.id, reason: refusal.reason, time: now, record: record)
        }
        let first = refusals[0].reason
        diagnostics.log(
            .warning,
            "output \(settings.name): \(refusals.count) records were refused and are set aside in \(files.setAside.path): \(first)"
        )
        do {
            try await onThread { [files, lines] in try files.setAside.append(lines) }
            update { [files] in $0.setAsideFile = files.setAside.path }
        } catch {
            diagnostics.log(.error, "output \(settings.name): refused records cannot be set aside: \(error)")
        }
    }

    private func raise(_ problem: ReportedProblem.Report?) {
        guard let problem else {
            return
        }
        if problem.isLogged {
            diagnostics.log(.warning, "output \(settings.name): \(problem.words)")
        }
        report(problem.words)
    }

    // MARK: - Status

    /// The present state. Reads the ends of the streams.
    func status() async -> OutputStatus {
        let (known, progress) = shared.withLockedValue { ($0.status, $0.progress) }
        var status = known
        let ends = try? await onThread { [settings, store] in try RecordSource.ends(settings.scope, in: store) }
        status.behind = ends.map { Self.bytes(from: progress, to: $0) }
        return status
    }

    func update(_ body: (inout OutputStatus) -> Void) {
        shared.withLockedValue { body(&$0.status) }
    }

    func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await threads.runIfActive(body)
    }
}
