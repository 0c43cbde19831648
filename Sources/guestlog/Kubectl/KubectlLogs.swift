// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubeVirt
import Kubernetes
import LogModel
import LogStore
import Query
import SystemIO

/// Shows the console logs of VMs.
struct KubectlLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show the console logs of VMs.",
        discussion: """
            Times: 10m, 2h30m, yesterday, "2026-11-20 17:00", RFC 3339, @seconds. The logs of several VMs are merged by \
            time and prefixed. With --follow, VMs that are not running are waited for, and live migrations and restarts are \
            followed.
            """
    )

    @OptionGroup var vms: VMOptions

    @Flag(name: .shortAndLong, help: "Follow new output.")
    var follow = false

    @Flag(name: .shortAndLong, help: "The log of the previous run of the container, as with kubectl logs -p.")
    var previous = false

    @Option(
        name: [.long, .customLong("lines")],
        help: ArgumentHelp("The last N lines only, a million at most; all or -1: every line.", valueName: "n")
    )
    var tail: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "\(LogContainer.name), as for kubectl logs: no other one has a console's log.",
            valueName: "name"
        )
    )
    var container: String?

    @OptionGroup var contextOptions: ContextOptions

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var cluster: ClusterOptions

    func validate() throws {
        if let container, container != LogContainer.name {
            throw ValidationError(
                "--container \(Terminal.safe(container)): only \(LogContainer.name) has the console's log; "
                    + "use 'kubectl logs' for other containers"
            )
        }
        if follow {
            try reading.checkFollowing()
            if previous {
                throw ValidationError(
                    "--previous and --follow cannot be combined: a run that has ended has no new lines"
                )
            }
            if let boot = reading.boot, boot != 0 {
                throw ValidationError(
                    "-b \(boot) and --follow cannot be combined: a boot that has ended has no new lines; use -b 0 for the "
                        + "latest"
                )
            }
        }
    }

    func run() async throws {
        let temporary = try TemporaryStore()
        defer { temporary.remove() }
        let selection = try selection()
        let source = VMLogs(
            pods: vms.pods(try cluster.client()),
            collector: ConsoleCollector(temporary.store, isFollowed: follow),
            isPrevious: previous,
            since: selection.since,
            // Lines may be left out by the server where nothing else chooses among them.
            tail: selection.filtersByText || selection.boot != nil || selection.until != nil || reading.reverse
                ? nil : selection.tail
        )
        var request = LogRequest()
        request.all = true
        request.selection = selection
        request.rendering = try reading.rendering()
        if follow {
            try await self.follow(request, source)
        } else {
            try await show(request, source)
        }
    }

    private func selection() throws -> Selection {
        let charsets = try reading.charset.map(RequestWords.charset) ?? CharsetRules()
        var selection = try reading.selection(tail: tail, charsets: charsets)
        selection.follow = follow
        try contextOptions.apply(to: &selection)
        return selection
    }

    private func show(_ request: LogRequest, _ source: VMLogs) async throws {
        let outcome = try await source.collect()
        let query = try request.open(source.collector.store, now: presentMoment())
        var lines = ReversedLines()
        while let bytes = try query.next() {
            if reading.reverse {
                lines.append(bytes)
            } else {
                try Output.write(bytes)
            }
        }
        try Output.write(lines.reversed)
        if let failure = outcome.failure {
            throw failure
        }
        // What is older was not requested: the query knows nothing of it.
        let isEmpty = await source.collector.isEmpty
        try finish(query, hasLog: outcome.hasLog, isSilent: isEmpty && source.since != nil)
    }

    private func follow(_ request: LogRequest, _ source: VMLogs) async throws {
        Output.endWithReader(TemporaryStore.removeAndExit)
        // Where reading begins in what there is now is decided when the query is opened.
        let choosesStart = request.selection.tail != nil || request.selection.boot != nil
        let beginnings = choosesStart ? try await source.begin() : [:]
        let query = try request.open(source.collector.store, now: presentMoment())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await source.follow(from: beginnings) }
            tasks.addTask {
                let changes = StoreNotifications(source.collector.notifier)
                _ = try await Following(changes).answer(query) { try Output.write($0) }
            }
            // The answer is complete, or one of the two has failed.
            defer { tasks.cancelAll() }
            _ = try await tasks.next()
        }
        try finish(query, hasLog: true)
    }

    private func finish(_ query: LogQuery, hasLog: Bool, isSilent: Bool = false) throws {
        if hasLog, !query.matchedAny, !follow {
            let explanation = isSilent ? "nothing was logged in the requested time" : query.explanation()
            Output.error(explanation ?? "nothing was logged")
        }
        if !query.matchedAny, !reading.grep.isEmpty || reading.severity != nil {
            throw ExitCode.nothingMatched
        }
    }
}
