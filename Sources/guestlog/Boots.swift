// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query

struct Boots: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boots",
        abstract: "List the boots of VMs: when each began and how it ended."
    )

    @Argument(help: ArgumentHelp(VMHelp.several, valueName: "vm"), completion: Completions.vms)
    var vms: [String]

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @Flag(help: "The previous VM of that name.")
    var previousInstance = false

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func run() async throws {
        let source = try await paths.source()
        let lists: [(vm: String, boots: [JSON])]
        if let store = source.store {
            let words = await source.untitled(vms)
            lists = try VMLookup.resolve(words, in: store, previousInstance: previousInstance).map { vm in
                (vm.identity.nameWithNamespace, try BootList.boots(of: vm, in: store).map(\.json))
            }
        } else {
            lists = try await ask(source.client)
        }
        try BootTable(times: times, output: output).write(lists)
        try source.checkCompleteness(of: vms)
    }

    private func ask(_ client: APIClient) async throws -> [(vm: String, boots: [JSON])] {
        let parameters = previousInstance ? ["previous-instance": ["1"]] : [:]
        var lists: [(vm: String, boots: [JSON])] = []
        for (name, word) in try await named(client) {
            let answer = try await client.get(RequestTarget(["v1", "vms", word, "boots"], parameters))
            lists.append((name, answer["boots"]?.elements ?? []))
        }
        return lists
    }

    /// The VMs' names, and the words by which the daemon, which takes no patterns for boots, knows them.
    private func named(_ client: APIClient) async throws -> [(name: String, word: String)] {
        guard vms.contains(where: ShellPattern.isPattern) else {
            return vms.map { ($0, $0) }
        }
        let all = try await client.get(RequestTarget(["v1", "vms"]))["vms"]?.elements ?? []
        let stored = all.filter { $0["folder"]?.text != nil && $0["ended"]?.text == nil }
        return try VMRow.matches(vms, in: stored).map { (VMRow.name(of: $0), $0["folder"]?.text ?? "") }
    }
}
