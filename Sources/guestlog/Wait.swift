// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query
import TextFormats

struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until a VM prints a match.",
        discussion: """
            Searches the output of the latest boot; after that boot has announced its end (a restart, a panic), only what \
            follows. A reboot that was only just requested is not announced yet: use --new then. An unfinished last line, \
            such as a prompt, matches too. A VM that does not exist yet, or was deleted, is waited for.
            """
    )

    @Argument(
        help: VMHelp.one,
        completion: Completions.vms
    )
    var vm: String

    @Argument(help: ArgumentHelp("A Perl regular expression.", valueName: "re"))
    var pattern: String

    @Option(help: ArgumentHelp("Give up after this long: 30s, 5m.", valueName: "duration"))
    var timeout: String?

    @Option(
        name: [.customShort("S"), .long],
        help: ArgumentHelp("Search the output since then, of any boot.", valueName: "time")
    )
    var since: String?

    @Flag(name: .customLong("new"), help: "Search only output from now on.")
    var isNew = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("This stream only.", valueName: "stream"),
        completion: Completions.streams
    )
    var stream: String?

    @Option(
        help: ArgumentHelp("The guest's character set; by default as configured, or UTF-8.", valueName: "name")
    )
    var charset: String?

    @Flag(name: .shortAndLong, help: "Do not print the line.")
    var quiet = false

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if isNew, since != nil {
            throw ValidationError("--new and --since cannot be combined: --new is --since now")
        }
    }

    func run() async throws {
        let compiled = try Pattern(pattern)
        let now = presentMoment()
        let from = isNew ? now : try since.map { try RequestWords.time("--since", $0, now: now).first }
        // Without a unit seconds, as timeout(1) has it.
        let limit = try timeout.map { word in
            try Quantities.parseDuration(Int(word) == nil ? word : word + "s").wholeMicroseconds
        }
        let source = try await paths.source()
        let text: String?
        if let store = source.store {
            let word = await source.untitled([vm])[0]
            logAwaited(word, in: store)
            source.reportStoppedDaemon()
            let wait = PatternWait(
                store: store,
                vm: word,
                stream: try streamName(),
                pattern: compiled,
                since: from,
                charsets: try paths.charsets(charset),
                turn: ReadTurn()
            )
            text = try await Following(FolderObserver(store) { Output.error($0) }).match(wait, within: limit)?.text
        } else {
            text = try await ask(source.client, since: from, within: limit)
        }
        guard let text else {
            let count = compiled.abandonedMatches
            let doubt =
                count > 0 ? "; matching was given up on \(count) lines: the pattern is too complex; simplify it" : ""
            Output.error("\(Terminal.safe(vm)) did not print a match in time\(doubt)")
            try source.checkCompleteness(of: [vm])
            throw ExitCode.nothingMatched
        }
        if !quiet {
            try Output.write(TerminalText.text(of: text.utf8) + "\n")
        }
    }

    /// Asks the daemon, and repeats that when the connection was lost.
    private func ask(_ client: APIClient, since: Timestamp?, within limit: Int64?) async throws -> String? {
        let start = presentMoment()
        return try await client.persist(onLost: Output.logReconnecting) { _ in
            var parameters = ["pattern": [pattern]]
            parameters["timeout"] = limit.map { limit in
                let rest = max(0, limit - (presentMoment().microseconds - start.microseconds))
                return ["\(rest / 1000)ms"]
            }
            // Times such as 17:00 are local to this command, not to the daemon.
            parameters["since"] = since.map { [$0.description] }
            parameters["stream"] = stream.map { [$0] }
            parameters["charset"] = charset.map { [$0] }
            return try await client.get(RequestTarget(["v1", "vms", vm, "wait"], parameters))["text"]?.text
        }
    }

    /// An unknown VM or stream may appear later, or be a typing error.
    private func logAwaited(_ vm: String, in store: Store) {
        do {
            let found = try VMLookup.resolve(vm, in: store, previousInstance: false)
            let streams = ((try? store.streams(of: found.directory)) ?? []).map(\.stream.text)
            if let stream, !streams.contains(stream) {
                let there = streams.isEmpty ? "" : "; its streams are \(streams.joined(separator: ", "))"
                Output.error("\(Terminal.safe(vm)) has no stream \(Terminal.safe(stream)) yet\(there) (waiting for it)")
            }
        } catch {
            if error.code == .noSuchVM, !ShellPattern.isPattern(vm) {
                Output.error("\(error) (waiting for it)")
            }
        }
    }

    private func streamName() throws -> StreamName? {
        try stream.map(RequestWords.stream)
    }
}
