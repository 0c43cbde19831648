// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import GuestlogService
import LogStore
import Query

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a VM's log in another program's format.",
        discussion: "Formats: text, short, json, logfmt, cri, export (systemd's; also called journal), raw."
    )

    @Argument(help: "\(OutputFormat.names).", completion: Completions.formats)
    var format: String

    @Argument(help: ArgumentHelp("The VMs.", valueName: "vm"), completion: Completions.vms)
    var vms: [String]

    @OptionGroup var paths: PathOptions

    func run() async throws {
        let chosen = try RequestWords.format(format)
        try Output.checkTerminal(chosen)
        let (source, store) = try await paths.storeSource()
        var request = LogRequest()
        request.vms = await source.untitled(vms)
        request.selection.charsets = try paths.charsets(nil)
        request.rendering.format = chosen
        request.rendering.timestamps = chosen == .text
        let query = try request.open(store, now: presentMoment())
        var (progress, written) = (ProgressLine(), 0)
        while let chunk = try query.next() {
            try Output.write(chunk)
            written += chunk.count
            if !Output.isTerminal {
                progress.show("exported \(Output.size(Int64(written)))")
            }
        }
        progress.clear()
        if let explanation = query.explanation() {
            Output.error(explanation)
        }
        try source.checkCompleteness(of: vms)
    }
}
