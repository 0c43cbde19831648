// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query

struct Boots: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boots",
        abstract: "List a VM's boots: when each began and how it ended."
    )

    @Argument(
        help: VMHelp.one,
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
        try BootTable(times: times, output: output).write(boots, of: vm)
    }
}
