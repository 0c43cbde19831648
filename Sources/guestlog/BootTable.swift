// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A list of boots, for people or as JSON.
struct BootTable {
    let times: TimeOptions
    let output: ListFormat

    /// Writes `boots` of the VM `name` to standard output.
    func write(_ boots: [JSON], of name: String) throws {
        if output == .json {
            for boot in boots {
                try Output.write(boot.bytes + [Lines.feed])
            }
            return
        }
        guard !boots.isEmpty else {
            Output.error("\(Terminal.safe(name)) has no recorded boot")
            return
        }
        let rows = boots.enumerated().map { index, boot in
            row(boot, index: index - boots.count + 1)
        }
        var columns = ["IDX", "BOOT", "BEGAN", "BY", "ENDED", "HOW", "BYTES"]
        guard boots.contains(where: Self.hasReport) else {
            try Output.write(Output.table([columns] + rows))
            return
        }
        columns += ["READY", "SHUTDOWN"]
        try Output.write(Output.table([columns] + zip(rows, boots).map { $0 + Self.report($1) }))
    }

    /// Whether the guest reported anything about the boot.
    private static func hasReport(_ boot: JSON) -> Bool {
        ["ready", "shutdown"].contains { boot[$0]?.text != nil } || boot["exit_status"]?.integer != nil
    }

    /// What the guest reported about the boot: the time until it was ready, and how it was shut down.
    private static func report(_ boot: JSON) -> [String] {
        let times = ["start", "ready"].map { name in boot[name]?.text.flatMap { Timestamp(rfc3339: $0.utf8) } }
        let ready = times[0].flatMap { start in times[1].map { seconds(from: start, to: $0) } }
        let status = boot["exit_status"]?.integer.map { "status \($0)" }
        let shutdown = [boot["shutdown"]?.text.map(Terminal.safe), status].compactMap(\.self)
        return [ready ?? "-", shutdown.isEmpty ? "-" : shutdown.joined(separator: ", ")]
    }

    private static func seconds(from start: Timestamp, to end: Timestamp) -> String {
        let tenths = max(0, end.microseconds - start.microseconds) / 100_000
        return "\(tenths / 10).\(tenths % 10) s"
    }

    private func row(_ boot: JSON, index: Int) -> [String] {
        func time(_ name: String) -> String { times.cell(boot[name]?.text) }
        // Without an end the boot lasts; an end that was not seen is the beginning of the next, or the last output.
        let how = boot["end_event"]?.text ?? (boot["end"]?.text == nil ? "running" : "-")
        return [
            String(index), boot["number"]?.integer.map { String($0) } ?? "-", time("start"),
            boot["start_event"]?.text ?? "not stored", time("end"), how,
            boot["bytes"]?.integer.map(Output.size) ?? "-",
        ]
    }
}
