// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import LogStore
import Query

/// Lists the boots of VMs that their present logs show.
struct KubectlBoots: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boots",
        abstract: "List the boots of VMs, as far as their pods' logs go back."
    )

    @OptionGroup var vms: VMOptions

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @OptionGroup var times: TimeOptions
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
        let temporary = try TemporaryStore()
        defer { temporary.remove() }
        let collector = ConsoleCollector(temporary.store, isFollowed: false)
        let outcome = try await VMLogs(pods: vms.pods(try cluster.client()), collector: collector).collect()
        let lists = try temporary.store.vms().map { vm in
            (vm: vm.identity.nameWithNamespace, boots: try BootList.boots(of: vm, in: temporary.store).map(\.json))
        }
        try BootTable(times: times, output: output).write(lists)
        if let failure = outcome.failure {
            throw failure
        }
    }
}
