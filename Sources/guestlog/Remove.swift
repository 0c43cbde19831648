// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Record that a VM was deleted.",
        discussion: """
            Removes its consoles, keeps its log for seven more days (retention: deleted:), and begins a new log for the \
            next VM of its name; --previous-instance selects this one.
            """
    )

    @Argument(help: "The VM: its name, its UUID, or the beginning of its UUID.")
    var vm: String

    @OptionGroup var paths: PathOptions

    func run() async throws {
        _ = try await paths.client().delete(RequestTarget(["v1", "vms", vm]))
    }
}
