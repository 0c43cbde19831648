// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the daemon's state and problems."
    )

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    private func disk(_ status: JSON) -> String {
        let used = status["disk_bytes"]?.integer.map(Output.size) ?? "-"
        return status["disk_limit_bytes"]?.integer.map { "\(used) used of \(Output.size($0))" } ?? "\(used) used"
    }

    func run() async throws {
        let status = try await paths.client().get(RequestTarget(["v1", "status"]))
        if output == .json {
            try Output.write(status.bytes + [Lines.feed])
            return
        }
        func number(_ name: String) -> String { status[name]?.integer.map { String($0) } ?? "-" }
        func size(_ name: String) -> String { status[name]?.integer.map(Output.size) ?? "-" }
        var rows = [
            ["version", status["version"]?.text ?? "-"],
            ["started", times.cell(status["started"]?.text)],
            ["store", Terminal.safe(status["store"]?.text ?? "-")],
            ["disk", disk(status)],
            ["consoles", "\(number("connected")) connected of \(number("consoles"))"],
            ["received", size("received_bytes")],
            ["stored", size("stored_bytes")],
            ["dropped", size("dropped_bytes")],
        ]
        if let collector = status["collector"] {
            let guests = collector["guests"]?.elements?.count ?? 0
            let connections = collector["connections"]?.integer.map { String($0) } ?? "-"
            rows.append(["collector", "\(guests) guests with \(connections) connections"])
        }
        try Output.write(Output.table(rows))
        for problem in status["problems"]?.elements ?? [] {
            let subject = Terminal.safe(problem["subject"]?.text ?? "")
            try Output.write("problem: \(subject): \(Terminal.safe(problem["problem"]?.text ?? ""))\n")
        }
    }
}
