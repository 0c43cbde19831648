// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import GuestlogService
import LogStore
import Query

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Record that a VM was deleted.",
        discussion: """
            Removes its consoles, keeps its log for the time of retention.deleted (7 days by default), and begins a new \
            log for the next VM of its name; --previous-instance selects this one. Without a daemon for this store, the \
            command writes to the store itself.
            """
    )

    @Argument(
        help: VMHelp.one,
        completion: Completions.vms
    )
    var vm: String

    @OptionGroup var paths: PathOptions

    func run() async throws {
        do {
            _ = try await paths.client().delete(RequestTarget(["v1", "vms", vm]))
        } catch let error as APIClient.Unreachable {
            guard !paths.namesDaemon, let store = try? await paths.storeSource().store else {
                throw error
            }
            try end(in: store)
        } catch is OtherStore {
            try end(in: try await paths.storeSource().store)
        }
        Output.error(
            "\(Terminal.safe(vm)) was deleted; its log is kept for the time of retention.deleted (7 days by default)"
        )
    }

    /// In a store that no daemon keeps, as where only `guestlog run` is used. A log that is being written is refused.
    private func end(in store: Store) throws {
        let found = try VMLookup.resolveExactly(vm, in: store)
        guard found.ended == nil else {
            throw CommandLineError(
                description: "\(Terminal.safe(vm)) was deleted already; its log is removed when its retention ends"
            )
        }
        try VMRemoval.end(found, in: store, at: presentMoment())
    }
}
