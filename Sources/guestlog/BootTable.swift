// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Lists of VMs' boots, for people or as JSON.
struct BootTable {
    let times: TimeOptions
    let output: ListFormat

    /// Writes the boots of VMs to standard output; of several VMs with their names.
    func write(_ lists: [(vm: String, boots: [JSON])]) throws {
        let isNamed = lists.count > 1
        if output == .json {
            for (vm, boots) in lists {
                for boot in boots {
                    try Output.write((isNamed ? Self.naming(vm, in: boot) : boot).bytes + [Lines.feed])
                }
            }
            return
        }
        for (vm, boots) in lists where boots.isEmpty {
            Output.error("\(Terminal.safe(vm)) has no recorded boot")
        }
        let all = lists.flatMap(\.boots)
        guard !all.isEmpty else {
            return
        }
        let hasReports = all.contains(where: Self.hasReport)
        let columns = ["IDX", "BOOT", "BEGAN", "BY", "ENDED", "HOW", "BYTES"]
        var rows = [(isNamed ? ["VM"] : []) + columns + (hasReports ? ["READY", "SHUTDOWN"] : [])]
        for (vm, boots) in lists {
            for (index, boot) in boots.enumerated() {
                let cells = row(boot, index: index - boots.count + 1) + (hasReports ? Self.report(boot) : [])
                rows.append((isNamed ? [Terminal.safe(vm)] : []) + cells)
            }
        }
        try Output.write(Output.table(rows))
    }

    private static func naming(_ vm: String, in boot: JSON) -> JSON {
        guard case .object(let members) = boot else {
            return boot
        }
        return .object([("vm", .string(vm))] + members)
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
