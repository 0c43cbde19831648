// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query

struct VMs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vms",
        abstract: "List VMs: state, boots, first and last entry, bytes, drops, problems."
    )

    @Argument(
        help: ArgumentHelp(
            VMHelp.several,
            valueName: "vm"
        ),
        completion: Completions.vms
    )
    var vms: [String] = []

    @Flag(help: "Only VMs with a problem.")
    var problem = false

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func run() async throws {
        let source = try await paths.source()
        let all = try await listed(source)
        let isStopped = source.reportStoppedDaemon()
        let chosen = try vms.isEmpty ? all : VMRow.matches(vms, in: all)
        let rows = chosen.filter { !problem || $0["problem"]?.text != nil }
        if output == .json {
            for vm in rows {
                try Output.write(vm.bytes + [Lines.feed])
            }
        } else if rows.isEmpty {
            if all.isEmpty {
                Output.error("no VM has produced output yet")
            } else if !isStopped {
                Output.error("no VM has a problem")
            }
        } else {
            try Output.write(VMRow.table(rows, times))
        }
        if source.daemon == nil {
            try source.checkCompleteness(of: vms)
        }
        // Only the daemon knows the problems.
        if problem, isStopped {
            throw ExitCode.outOfReach
        }
    }

    /// The daemon also knows which consoles are connected. It is asked when it keeps the store that is read.
    private func listed(_ source: LogSource) async throws -> [JSON] {
        guard source.daemon == nil, let store = source.store else {
            return try await source.client.get(RequestTarget(["v1", "vms"]))["vms"]?.elements ?? []
        }
        source.reportHidden(named: vms)
        return try store.vms().map { VMListing(vm: $0, report: VMReport(of: $0, in: store)).json }
    }
}

enum ListFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}
