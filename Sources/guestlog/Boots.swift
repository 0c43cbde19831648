// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query

struct Boots: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List a VM's boots: when each began and how it ended.")

    @Argument(
        help: "The VM: its name (NAMESPACE/NAME), its title, its UUID, or the beginning of its UUID.",
        completion: Completions.vms
    )
    var vm: String

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @Flag(help: "The previous VM of that name.")
    var previousInstance = false

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func run() async throws {
        let boots: [JSON]
        let source = try await paths.source()
        if let store = source.store {
            let word = await source.untitled([vm])[0]
            let found = try VMLookup.resolve(word, in: store, previousInstance: previousInstance)
            boots = try BootList.boots(of: found, in: store).map(\.json)
        } else {
            let parameters = previousInstance ? ["previous-instance": ["1"]] : [:]
            let answer = try await source.client.get(RequestTarget(["v1", "vms", vm, "boots"], parameters))
            boots = answer["boots"]?.elements ?? []
        }
        if output == .json {
            for boot in boots {
                try Output.write(boot.bytes + [Lines.feed])
            }
            return
        }
        guard !boots.isEmpty else {
            Output.error("\(Terminal.safe(vm)) has no recorded boot")
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
