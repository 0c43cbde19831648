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
        let rows = boots.enumerated().map { place, boot in
            row(boot, index: place - boots.count + 1)
        }
        try Output.write(Output.table([["IDX", "BOOT", "BEGAN", "BY", "ENDED", "HOW", "BYTES"]] + rows))
    }

    private func row(_ boot: JSON, index: Int) -> [String] {
        func time(_ name: String) -> String { times.words(boot[name]?.text) }
        // Without an end the boot lasts; an end that was not seen is the beginning of the next, or the last output.
        let how = boot["end_event"]?.text ?? (boot["end"]?.text == nil ? "running" : "-")
        return [
            String(index), boot["number"]?.integer.map { String($0) } ?? "-", time("start"),
            boot["start_event"]?.text ?? "not stored", time("end"), how,
            boot["bytes"]?.integer.map(Output.size) ?? "-",
        ]
    }
}
