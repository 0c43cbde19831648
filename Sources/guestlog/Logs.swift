// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Outputs
import Query

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show the logs of VMs.",
        discussion: """
            Times: 10m, 2h30m, yesterday, "2026-11-20 17:00", RFC 3339, @seconds. Several streams are merged by time \
            and prefixed.
            """
    )

    @Argument(
        help: ArgumentHelp(
            """
            \(VMHelp.several)
            FIELD=VALUE: only records with this field; values of one field are alternatives, different fields are \
            required together.
            """,
            valueName: "vm"
        ),
        completion: Completions.vms
    )
    var words: [String] = []

    private var vms: [String] { words.filter { !FieldMatches.isMatch($0) } }
    private var fields: [String] { words.filter(FieldMatches.isMatch) }

    @Flag(name: .shortAndLong, help: "Follow new output.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long, .customLong("lines")],
        help: ArgumentHelp("The last N lines only, a million at most; all or -1: every line.", valueName: "n")
    )
    var tail: String?

    @Flag(name: .shortAndLong, help: "The boot before the latest: -b -1.")
    var previous = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("These streams only.", valueName: "stream"),
        completion: Completions.streams
    )
    var stream: [String] = []

    @OptionGroup var contextOptions: ContextOptions

    @Option(name: .customShort("A"), help: ArgumentHelp("The same as --after-context.", valueName: "n"))
    var after: Int?

    @Option(
        name: [.customShort("C"), .long],
        help: ArgumentHelp("Show N lines before and after each line that matches.", valueName: "n")
    )
    var context: Int?

    @Flag(help: "All VMs.")
    var all = false

    @Option(help: ArgumentHelp("Resume at a cursor from --show-cursor.", valueName: "cursor"))
    var cursor: String?

    @Flag(help: "Print a cursor to resume at.")
    var showCursor = false

    @Flag(help: "The previous VM of that name.")
    var previousInstance = false

    @OptionGroup var reading: ReadingOptions

    @OptionGroup var fleet: FleetOptions

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if vms.isEmpty, !all {
            let hint = fields.isEmpty ? "" : "; a VM with = in its name is named by its UUID or its folder"
            throw ValidationError("a VM is missing: name one, or use --all; list the VMs with 'guestlog vms'\(hint)")
        }
        if all, let vm = vms.first {
            throw ValidationError("--all cannot be combined with a VM, \(Terminal.safe(vm)): it means every VM")
        }
        if previous, reading.boot != nil {
            throw ValidationError("-p means -b -1 and cannot be combined with -b")
        }
        if follow {
            try reading.checkFollowing()
        }
    }

    func run() async throws {
        var request = try self.request()
        if follow {
            Output.endWithReader()
        }
        if let source = try fleet.source(paths) {
            do {
                return try await ask(source, request)
            } catch  where LogSource.isUnknownVM(error) {
                throw hint(for: error)
            }
        }
        let source = try await paths.source()
        do {
            let end = ContinuousClock.now + Self.grace
            while true {
                do {
                    request.vms = await source.untitled(vms)
                    if let store = source.store {
                        return try await answer(request, from: store, of: source)
                    }
                    return try await ask(source.client, request)
                } catch  where follow && LogSource.isUnknownVM(error) && ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        } catch  where LogSource.isUnknownVM(error) {
            throw hint(for: await source.explained(error, of: vms, paths))
        }
    }

    /// How long a follower waits for a VM that is not known: the daemon finds one that has just been started in less.
    private static let grace = Duration.seconds(3)

    private func request() throws -> LogRequest {
        var request = LogRequest()
        request.vms = vms
        request.all = all
        request.previousInstance = previousInstance
        request.selection = try selection()
        request.rendering = try reading.rendering()
        return request
    }

    private func selection() throws -> Selection {
        var selection = try reading.selection(tail: tail, charsets: paths.charsets(reading.charset))
        selection.streams = stream.isEmpty ? nil : Set(try stream.map(RequestWords.stream))
        selection.boot = previous ? -1 : selection.boot
        selection.fields = try RequestWords.fields(fields)
        var contextOptions = contextOptions
        contextOptions.afterContext = contextOptions.afterContext ?? after
        try contextOptions.apply(to: &selection, both: try RequestWords.context("--context", String(context ?? 0)))
        selection.cursor = cursor
        selection.follow = follow
        return selection
    }

    // MARK: - From the local store

    private func answer(_ request: LogRequest, from store: Store, of source: LogSource) async throws {
        let query = try request.open(store, now: presentMoment())
        if follow {
            source.reportLeftOut(of: vms)
            source.reportStoppedDaemon()
        }
        var lines = ReversedLines()
        _ = try await Following(FolderObserver(store) { Output.error($0) }).answer(query) { bytes in
            try write(bytes, &lines)
        }
        try Output.write(lines.reversed)
        try finish(cursor: query.cursor, matched: query.matchedAny, explanation: query.explanation(), of: source)
    }

    // MARK: - From the daemon

    private func ask(_ client: APIClient, _ request: LogRequest) async throws {
        let target = LogParameters(request).target
        let trailers: APIClient.Trailers
        if follow, reading.head == nil, request.selection.limitBytes == nil {
            var endsLine = true
            trailers = try await client.follow(target, onLost: Output.logReconnecting) {
                // The second piece of a continued line must not look like a line of its own.
                if request.rendering.format.isHuman, !endsLine {
                    try Output.write("\n")
                }
            } _: { bytes in
                endsLine = bytes.last.map { $0 == Lines.feed } ?? endsLine
                try Output.write(bytes)
            }
        } else {
            var lines = ReversedLines()
            trailers = try await client.stream(target) { try write($0, &lines) }
            try Output.write(lines.reversed)
        }
        try finish(cursor: trailers.cursor ?? "", matched: trailers.matched, explanation: trailers.explanation)
    }

    // MARK: - From a log engine

    private func ask(_ source: FleetSource, _ request: LogRequest) async throws {
        try fleet.check(charset: reading.charset, showsCursor: showCursor)
        var query = try FleetQuery(source, request, now: presentMoment())
        var lines = ReversedLines()
        try await query.answer { try write($0, &lines) }
        try Output.write(lines.reversed)
        try finish(cursor: "", matched: query.matchedAny, explanation: query.explanation)
    }

    /// Writes `bytes`, or keeps them until all are there.
    private func write(_ bytes: [UInt8], _ lines: inout ReversedLines) throws {
        if reading.reverse {
            lines.append(bytes)
        } else {
            try Output.write(bytes)
        }
    }

    private func finish(
        cursor: String,
        matched: Bool,
        explanation: String?,
        of source: LogSource? = nil
    ) throws {
        if let explanation {
            Output.error(explanation)
        }
        if showCursor {
            Output.error("cursor: \(cursor)", prefix: "-- ")
        }
        // A follower was told of the folders when it began.
        try source?.checkCompleteness(of: vms, tellsHidden: !follow)
        if !matched, !reading.grep.isEmpty || reading.severity != nil || !fields.isEmpty {
            throw ExitCode.nothingMatched
        }
    }

    /// Adds a hint for habits from journalctl where the options differ.
    private func hint(for error: any Error) -> any Error {
        if previous, let word = vms.first(where: { (try? RequestWords.severities($0)) != nil }) {
            return ValidationError("\(error); did you mean --severity \(word)? Here -p is --previous")
        }
        if reading.boot != nil, let word = vms.first(where: BootArgument.isWord) {
            return CommandLineError(description: "-b \(Terminal.safe(word)): \(BootArgument.remedy)")
        }
        return error
    }
}
