// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import GuestlogService
import LogStore
import Query

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a VM's log in another program's format.",
        discussion: "Formats: text, short, json, logfmt, cri, export (systemd's; also called journal), raw."
    )

    @Argument(help: "The format.")
    var format: String

    @Argument(help: ArgumentHelp("The VMs.", valueName: "vm"))
    var vms: [String]

    @OptionGroup var paths: PathOptions

    func run() async throws {
        guard let chosen = OutputFormat(word: format) else {
            throw ValidationError("unknown format \(Terminal.safe(format)): use one of \(OutputFormat.names)")
        }
        try Output.checkTerminal(chosen)
        let store = try await paths.readableStore()
        var request = LogRequest()
        request.vms = vms
        request.rendering.format = chosen
        request.rendering.timestamps = chosen == .text
        let query = try request.open(store, now: presentMoment())
        while let chunk = try query.next() {
            try Output.write(chunk)
        }
        if let explanation = query.explanation() {
            Output.error(explanation)
        }
    }
}
