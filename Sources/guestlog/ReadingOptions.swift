// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import LogModel
import Query

/// The options of commands that show logs: which entries, and how.
struct ReadingOptions: ParsableArguments {
    @Option(name: [.customShort("S"), .long], help: ArgumentHelp("Begin at this time.", valueName: "time"))
    var since: String?

    @Option(name: [.customShort("U"), .long], help: ArgumentHelp("End at this time.", valueName: "time"))
    var until: String?

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

    @Option(
        help: ArgumentHelp(
            "This severity or worse: emerg, alert, crit, err, warning, notice, info, debug; a range: warning..err.",
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

    @Option(help: ArgumentHelp("Stop after this many bytes; 0: no limit.", valueName: "n"))
    var limitBytes: Int?

    @Option(
        name: .shortAndLong,
        help: "\(OutputFormat.names); as journalctl names them: \(OutputFormat.otherNames).",
        completion: Completions.formats
    )
    var output: String = "text"

    @Flag(
        inversion: .prefixedNo,
        help: "Put VM and stream before each line; by default when there are several streams."
    )
    var prefix: Bool?

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

    @Flag(help: "Write raw guest bytes (cri, export, raw) to a terminal anyway.")
    var force = false

    enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
        case auto, always, never
    }

    func validate() throws {
        if let format = OutputFormat(word: output), !force {
            try Output.checkTerminal(format, remedy: "write them to a file, or use --force")
        }
        if reverse, let format = OutputFormat(word: output), format == .raw || format == .export {
            throw ValidationError("--reverse cannot be combined with -o \(output), whose entries are not lines")
        }
        if reverse, limitBytes != nil {
            throw ValidationError(
                "--reverse cannot be combined with --limit-bytes, which cuts the newest lines; use --tail"
            )
        }
        if let head, head < 0 {
            throw ValidationError("--head \(head): must be a whole number, 0 or more")
        }
    }

    /// Throws when the options cannot be combined with following.
    func checkFollowing() throws {
        if reverse {
            throw ValidationError(
                "--reverse and --follow cannot be combined: a new line cannot be printed above the others"
            )
        }
    }

    func rendering() throws -> Rendering {
        var rendering = Rendering()
        rendering.format = escape ? .escaped : try RequestWords.format(output)
        rendering.timestamps = timestamps
        rendering.prefix = prefix
        rendering.utc = times.utc
        rendering.markers = markers ?? (isatty(STDOUT_FILENO) == 1)
        rendering.color = color == .always || (color == .auto && Output.wantsColor)
        return rendering
    }

    /// The selection of the options, with `tail` as it was typed, and with the guests' character sets.
    func selection(tail: String?, charsets: CharsetRules) throws -> Selection {
        let now = presentMoment()
        var selection = Selection()
        selection.since = try since.map { try times.beginning("--since", $0, now: now) }
        selection.until = try until.map { try times.end("--until", $0, now: now) }
        selection.tail = try tail.flatMap { try RequestWords.tail("--tail", $0) }
        if reverse {
            selection.tail = selection.tail ?? Selection.largestTail
        }
        selection.head = head
        selection.limitBytes = try limitBytes.flatMap { try RequestWords.limit("--limit-bytes", String($0)) }
        selection.boot = boot
        selection.severities = try severity.map(RequestWords.severities)
        selection.pattern =
            try grep.isEmpty ? nil : RequestWords.pattern(anyOf: grep, ignoreCase: ignoreCase, isBounded: true)
        selection.charsets = charsets
        return selection
    }
}
