// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
import NIOConcurrencyHelpers
import NIOPosix
public import SystemIO

/// The outputs of a daemon.
public final class OutputService: Sendable {
    private let notifier: CommitNotifier
    private let runners: [OutputRunner]
    /// Threads that read the store for all outputs.
    private let threads = NIOThreadPool(numberOfThreads: 2)
    private let state = NIOLockedValueBox(State())

    private struct State {
        var tasks: [(task: Task<Void, Never>, hasEnded: OneShot)] = []
        var subscription: CommitNotifier.Subscription?
    }

    /// A command names no output.
    public struct Unknown: Error, CustomStringConvertible {
        public let description: String
    }

    /// A command could not be carried out.
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    /// How long a stop waits for positions to be saved, in seconds.
    public static let stopLimit = 2

    /// The folder in the store with the outputs' files.
    static func folder(in store: Store) -> String { store.root + "/outputs" }

    /// Outputs of `store` with these `settings`; `notifier` reports commits. `report` is called with an output's name
    /// and its problem, nil when it has ended. Nothing runs until `start`.
    public init(
        _ settings: [OutputSettings],
        store: Store,
        notifier: CommitNotifier,
        clock: any HostClock = SystemClock(),
        diagnostics: Diagnostics,
        report: @escaping @Sendable (_ output: String, _ problem: String?) -> Void
    ) {
        self.notifier = notifier
        let threads = threads
        runners = settings.map { settings in
            OutputRunner(
                settings,
                destination: settings.destination.open(),
                store: store,
                folder: Self.folder(in: store),
                threads: threads,
                clock: clock,
                diagnostics: diagnostics
            ) { problem in
                report(settings.name.text, problem)
            }
        }
    }

    /// Starts all outputs.
    public func start() {
        guard !runners.isEmpty else {
            return
        }
        threads.start()
        let subscription = notifier.subscribe(to: nil) { [runners] changes in
            runners.forEach { $0.wakeUps.add(changes) }
        }
        let tasks = runners.map { runner in
            let hasEnded = OneShot()
            let task = Task(priority: .medium) {
                await runner.run()
                hasEnded.signal()
            }
            return (task: task, hasEnded: hasEnded)
        }
        state.withLockedValue { $0 = State(tasks: tasks, subscription: subscription) }
    }

    /// Stops all outputs; positions are saved, unless the disk is blocked. Waits for `seconds` at most for each output.
    public func stop(within seconds: Int = stopLimit) {
        let tasks = state.withLockedValue { state in
            defer { state = State() }
            return state.tasks
        }
        guard !tasks.isEmpty else {
            return
        }
        runners.forEach { $0.wakeUps.stop() }
        tasks.forEach { $0.task.cancel() }
        tasks.forEach { _ = $0.hasEnded.wait(seconds: seconds) }
        threads.shutdownGracefully { _ in }
    }

    /// The state of each output.
    public func statuses() async -> [OutputStatus] {
        var statuses: [OutputStatus] = []
        for runner in runners {
            statuses.append(await runner.status())
        }
        return statuses
    }

    /// Passes over what is stored and was not delivered yet.
    public func skip(_ name: String) async throws {
        try await perform(.skip, on: name)
    }

    /// Sends again, with the same ids, what was received since `moment`.
    public func replay(_ name: String, since moment: Timestamp) async throws {
        try await perform(.replay(since: moment), on: name)
    }

    private func perform(_ action: OutputCommand.Action, on name: String) async throws {
        guard let runner = runners.first(where: { $0.settings.name.text == name }) else {
            let names = runners.map(\.settings.name.text).joined(separator: ", ")
            let known = names.isEmpty ? "none is configured" : "the outputs are \(names)"
            throw Unknown(description: "there is no output \(name); \(known)")
        }
        let failure = await withCheckedContinuation { (done: CheckedContinuation<String?, Never>) in
            let command = OutputCommand(action: action) { done.resume(returning: $0) }
            if !runner.wakeUps.add(command) {
                done.resume(returning: "the daemon stops")
            }
        }
        if let failure {
            throw Failed(description: "output \(name): \(failure)")
        }
    }
}
