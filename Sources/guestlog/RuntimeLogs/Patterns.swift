// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import LogStore
import Query
import TextFormats

struct Patterns: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patterns",
        abstract: "Group messages by their shape: what is written often, by how many VMs, since when.",
        discussion: """
            Numbers, identifiers, addresses, paths and quoted texts count as values, shown as <*>. Messages whose shapes \
            no longer fit into memory are counted together as (other); the counts add up to the number of lines.
            """
    )

    @Argument(help: ArgumentHelp("The VMs, as for logs; none: all.", valueName: "vm"), completion: Completions.vms)
    var vms: [String] = []

    @Option(name: [.customShort("S"), .long], help: ArgumentHelp("Begin at this time.", valueName: "time"))
    var since: String?

    @Option(name: [.customShort("U"), .long], help: ArgumentHelp("End at this time.", valueName: "time"))
    var until: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("These streams only.", valueName: "stream"))
    var stream: [String] = []

    @Option(help: ArgumentHelp("This severity or worse only.", valueName: "s"), completion: Completions.severities)
    var severity: String?

    @Option(help: ArgumentHelp("Only shapes first seen at this time or later.", valueName: "time"))
    var newSince: String?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Show that many shapes; 0 or -1: all.", valueName: "n")
    )
    var count = 50

    @Flag(help: "One object in JSON a line.")
    var json = false

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func validate() throws {
        guard count >= -1 else {
            throw ValidationError("--count \(count): must be a whole number, 0 or -1 for all")
        }
    }

    func run() async throws {
        let now = presentMoment()
        var request = LogRequest()
        request.all = vms.isEmpty
        var selection = Selection()
        selection.streams = stream.isEmpty ? nil : Set(try stream.map(RequestWords.stream))
        selection.since = try since.map { try times.beginning("--since", $0, now: now) }
        selection.until = try until.map { try times.end("--until", $0, now: now) }
        selection.severities = try severity.map(RequestWords.severities)
        selection.charsets = try paths.charsets(nil)
        let first = try newSince.map { try times.beginning("--new-since", $0, now: now) }
        let (source, store) = try await paths.storeSource()
        request.vms = await source.untitled(vms)
        let resolved = try request.resolve(in: store)
        let groups = try Self.groups(store, resolved, selection, now)
        let shown = groups.sorted.filter { group in first.map { group.first >= $0 } ?? true }
        let rows = count <= 0 ? shown[...] : shown.prefix(count)
        try Output.write(json ? Self.jsonLines(rows) : Array(Output.table(table(rows)).utf8))
        if rows.count < shown.count {
            Output.error("\(shown.count - rows.count) more shapes; use -n 0 for all")
        }
        try source.checkCompleteness(of: vms)
    }

    private static func groups(
        _ store: Store,
        _ vms: [Store.VM],
        _ selection: Selection,
        _ now: Timestamp
    ) throws -> MessageGroups {
        let entries = try EntrySource(store: store, vms: vms, selection: selection, now: now)
        var groups = MessageGroups()
        var numbers: [String: Int] = [:]
        while let (entry, stream) = try entries.next() {
            guard case .line(let line) = entry else {
                continue
            }
            let vm = numbers[entries.streams[stream].id.vm, default: numbers.count]
            numbers[entries.streams[stream].id.vm] = vm
            let decoded = DecodedLine(line)
            _ = decoded.withText { groups.add($0, vm: vm, time: line.time, severity: decoded.severity) }
        }
        return groups
    }

    private func table(_ groups: ArraySlice<MessageGroups.Group>) -> [[String]] {
        let head = ["COUNT", "VMS", "SEVERITY", "FIRST", "LAST", "MESSAGE"]
        return [head]
            + groups.map { group in
                [
                    "\(group.count)", "\(group.vmCount)", group.severity?.name ?? "-", times.cell("\(group.first)"),
                    times.cell("\(group.last)"), TerminalText.text(of: group.text),
                ]
            }
    }

    private static func jsonLines(_ groups: ArraySlice<MessageGroups.Group>) -> [UInt8] {
        groups.reduce(into: []) { out, group in
            let members: [(String, JSON)] = [
                ("count", .integer(Int64(group.count))), ("vms", .integer(Int64(group.vmCount))),
                ("severity", group.severity.map { .string($0.name) } ?? .null), ("first", .string("\(group.first)")),
                ("last", .string("\(group.last)")), ("message", .string(String(decoding: group.text, as: UTF8.self))),
            ]
            JSON.object(members).append(to: &out)
            out.append(Lines.feed)
        }
    }
}
