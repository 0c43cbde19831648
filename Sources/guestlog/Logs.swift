// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import Glibc
import LogModel
import LogStore
import Query
import SystemIO

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the logs of VMs.",
        discussion: """
            Times: 10m, 2h30m, yesterday, "2026-11-20 17:00", RFC 3339, @seconds. Several streams are merged by time \
            and prefixed.
            """
    )

    @Argument(
        help: ArgumentHelp(
            """
            The VMs: their names (NAMESPACE/NAME), titles, UUIDs, beginnings of UUIDs, or a pattern: 'web*'. FIELD=VALUE: only records with this field; values of \
            one field are alternatives, different fields are required together.
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

    @Option(name: [.customShort("S"), .long], help: ArgumentHelp("Begin at this time.", valueName: "time"))
    var since: String?

    @Option(name: [.customShort("U"), .long], help: ArgumentHelp("End at this time.", valueName: "time"))
    var until: String?

    @Option(
        name: [.customShort("n"), .long, .customLong("lines")],
        help: ArgumentHelp("The last N lines only, a million at most; all or -1: every line.", valueName: "n")
    )
    var tail: String?

    @Option(help: ArgumentHelp("The first N lines only.", valueName: "n"))
    var head: Int?

    @Flag(name: .shortAndLong, help: "The newest line first; of at most a million lines.")
    var reverse = false

    @Flag(name: .shortAndLong, help: "Put the time before each line.")
    var timestamps = false

    @Option(
        name: .shortAndLong,
        parsing: .unconditional,
        help: ArgumentHelp(
            "One boot only: 0 or no number the latest, -1 the one before, 1 the oldest stored.",
            valueName: "n"
        )
    )
    var boot: Int?

    @Flag(name: .shortAndLong, help: "The boot before the latest: -b -1.")
    var previous = false

    @Option(name: .shortAndLong, help: ArgumentHelp("These streams only.", valueName: "stream"))
    var stream: [String] = []

    @Option(
        help: ArgumentHelp(
            "This severity or worse: emerg, alert, crit, err, warning, notice, info, debug.",
            valueName: "s"
        ),
        completion: Completions.severities
    )
    var severity: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Lines that match only (a Perl regular expression); several: any of them.", valueName: "re")
    )
    var grep: [String] = []

    @Flag(inversion: .prefixedNo, help: "Ignore case in --grep; by default when it is all lower case.")
    var ignoreCase: Bool?

    @Option(help: ArgumentHelp("Stop after this many bytes.", valueName: "n"))
    var limitBytes: Int?

    @Option(
        name: .shortAndLong,
        help: "text, short, json, logfmt, cri, export (or journal), escaped, raw.",
        completion: Completions.formats
    )
    var output: String = "text"

    @Flag(help: "All VMs.")
    var all = false

    @Flag(
        inversion: .prefixedNo,
        help: "Put VM and stream before each line; by default when there are several streams."
    )
    var prefix: Bool?

    @Option(help: ArgumentHelp("Resume at a cursor from --show-cursor.", valueName: "cursor"))
    var cursor: String?

    @Flag(help: "Print a cursor to resume at.")
    var showCursor = false

    @Option(help: ArgumentHelp("auto, always, never.", valueName: "when"))
    var color: ColorChoice = .auto

    @OptionGroup var times: TimeOptions

    @Flag(
        inversion: .prefixedNo,
        help: """
            Show where boots begin and end, and which lines were painted over; by default on a terminal. Losses are \
            shown always.
            """
    )
    var markers: Bool?

    @Option(
        help: ArgumentHelp(
            "The guests' character set, as iconv names it: latin1, cp437, gbk; by default as configured, or UTF-8.",
            valueName: "name"
        )
    )
    var charset: String?

    @Flag(help: "Show every stored byte, escaped: -o escaped.")
    var escape = false

    @Flag(help: "The previous VM of that name.")
    var previousInstance = false

    @Flag(help: "Write raw guest bytes (cri, export, raw) to a terminal anyway.")
    var force = false

    @OptionGroup var paths: PathOptions

    enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
        case auto, always, never
    }

    func validate() throws {
        if vms.isEmpty, !all {
            throw ValidationError("a VM is missing: name one, or use --all; list the VMs with guestlog vms")
        }
        if previous, boot != nil {
            throw ValidationError("-p means -b -1 and cannot be combined with -b")
        }
        if let format = OutputFormat(word: output), !force {
            try Output.checkTerminal(format, remedy: "write them to a file, or use --force")
        }
        if reverse, follow {
            throw ValidationError(
                "--reverse and --follow cannot be combined: a new line cannot be printed above the others"
            )
        }
        if reverse, let format = OutputFormat(word: output), format == .raw || format == .export {
            throw ValidationError("--reverse cannot be combined with -o \(output), whose entries are not lines")
        }
        if let head, head < 0 {
            throw ValidationError("--head \(head): must be a whole number, 0 or more")
        }
    }

    func run() async throws {
        var request = try self.request()
        do {
            let source = try await paths.source()
            request.vms = await source.untitled(vms)
            if let store = source.store {
                try await answer(request, from: store)
            } else {
                try await ask(source.client, request)
            }
        } catch let error as QueryError {
            throw hint(for: error)
        }
    }

    private func request() throws -> LogRequest {
        var request = LogRequest()
        request.vms = vms
        request.all = all
        request.previousInstance = previousInstance
        request.selection = try selection()
        request.rendering.format = escape ? .escaped : try RequestWords.format(output)
        request.rendering.timestamps = timestamps
        request.rendering.prefix = prefix
        request.rendering.utc = times.utc
        request.rendering.markers = markers ?? (isatty(STDOUT_FILENO) == 1)
        request.rendering.color = color == .always || (color == .auto && Output.wantsColor)
        return request
    }

    private func selection() throws -> Selection {
        let now = presentMoment()
        var selection = Selection()
        selection.streams = stream.isEmpty ? nil : Set(try stream.map(RequestWords.stream))
        selection.since = try since.map { try times.beginning("--since", $0, now: now) }
        selection.until = try until.map { try times.end("--until", $0, now: now) }
        selection.tail = try tail.flatMap { try RequestWords.tail("--tail", $0) }
        if reverse {
            selection.tail = selection.tail ?? Selection.largestTail
        }
        selection.head = head
        selection.limitBytes = try limitBytes.map { try RequestWords.count("--limit-bytes", String($0)) }
        selection.boot = previous ? -1 : boot
        selection.severity = try severity.map(RequestWords.severity)
        selection.fields = try RequestWords.fields(fields)
        selection.pattern =
            try grep.isEmpty ? nil : RequestWords.pattern(anyOf: grep, ignoreCase: ignoreCase, isBounded: true)
        selection.cursor = cursor
        selection.follow = follow
        selection.charsets = try paths.charsets(charset)
        return selection
    }

    // MARK: - From the local store

    private func answer(_ request: LogRequest, from store: Store) async throws {
        let query = try request.open(store, now: presentMoment())
        var lines = ReversedLines()
        _ = try await Following(FolderObserver(store) { Output.error($0) }).answer(query) { bytes in
            try write(bytes, &lines)
        }
        try Output.write(lines.reversed)
        try finish(cursor: query.cursor, matched: query.matchedAny, explanation: query.explanation())
    }

    // MARK: - From the daemon

    private func ask(_ client: APIClient, _ request: LogRequest) async throws {
        let target = LogParameters(request).target
        let trailers: APIClient.Trailers
        if follow, head == nil, limitBytes == nil {
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

    /// Writes `bytes`, or keeps them until all are there.
    private func write(_ bytes: [UInt8], _ lines: inout ReversedLines) throws {
        if reverse {
            lines.append(bytes)
        } else {
            try Output.write(bytes)
        }
    }

    private func finish(cursor: String, matched: Bool, explanation: String?) throws {
        if let explanation {
            Output.error(explanation)
        }
        if showCursor {
            Output.error("cursor: \(cursor)", prefix: "-- ")
        }
        if !matched, !grep.isEmpty || severity != nil || !fields.isEmpty {
            throw ExitCode.nothingMatched
        }
    }

    /// Adds a hint for habits from journalctl where the options differ.
    private func hint(for error: QueryError) -> any Error {
        if previous, let word = vms.first(where: { Severity(word: $0) != nil }) {
            return ValidationError("\(error); did you mean --severity \(word)? Here -p is --previous")
        }
        return error
    }
}
