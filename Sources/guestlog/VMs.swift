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

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func run() async throws {
        let vms = try await self.vms()
        if output == .json {
            for vm in vms {
                try Output.write(vm.bytes + [Lines.feed])
            }
            return
        }
        guard !vms.isEmpty else {
            Output.error("no VM has produced output yet")
            return
        }
        let header = ["NAME", "STATE", "BOOTS", "FIRST", "LAST", "TEXT", "STORED", "LOST", "PROBLEM"]
        try Output.write(Output.table([header] + vms.map(row)))
    }

    /// The daemon also knows which consoles are connected. It is asked when it keeps the store that is read.
    private func vms() async throws -> [JSON] {
        let source = try await paths.source()
        if let daemon = source.daemon {
            return try await daemon.get(RequestTarget(["v1", "vms"]))["vms"]?.elements ?? []
        }
        let store = try await paths.readableStore()
        return try store.vms().map { VMListing(vm: $0, report: VMReport(of: $0, in: store)).json }
    }

    private func row(_ vm: JSON) -> [String] {
        func text(_ name: String) -> String { vm[name]?.text.map(Terminal.safe) ?? "-" }
        func name(_ vm: JSON) -> String {
            let namespace = vm["namespace"]?.text.map { Terminal.safe($0) + "/" } ?? ""
            return namespace + text("name")
        }
        func size(_ name: String) -> String { vm[name]?.integer.map(Output.size) ?? "-" }
        func time(_ name: String) -> String { times.words(vm[name]?.text) }
        return [
            name(vm), text("state"), vm["boots"]?.integer.map { String($0) } ?? "-", time("first"), time("last"),
            size("text_bytes"), size("stored_bytes"), size("lost_bytes"), text("problem"),
        ]
    }
}

enum ListFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}
