// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import TextFormats

struct Vacuum: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vacuum",
        abstract: "Remove old text now.",
        discussion: """
            The daemon removes by itself what exceeds the limits of the configuration's section retention. This command \
            removes more, once. The newest segment of each stream stays, so that somewhat more than --size can be left.
            """
    )

    @Argument(
        help: "These VMs only, named as for logs; by default all.",
        completion: Completions.vms
    )
    var vms: [String] = []

    @Option(help: ArgumentHelp("Leave this much on disk, of all these VMs together: 500M, 10G.", valueName: "size"))
    var size: String?

    @Option(
        name: [.long, .customLong("time")],
        help: ArgumentHelp("Remove what was received longer ago than this: 12h, 30d.", valueName: "age")
    )
    var age: String?

    @OptionGroup var paths: PathOptions

    func validate() throws {
        guard size != nil || age != nil else {
            throw ValidationError("--size and --age are missing: give one, such as --size 1G or --age 30d, or both")
        }
        do {
            _ = try size.map(Quantities.parseSize)
            _ = try age.map(Quantities.parseDuration)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() async throws {
        let parameters = ["size": size.map { [$0] }, "age": age.map { [$0] }, "vm": vms.isEmpty ? nil : vms]
        let target = RequestTarget(["v1", "vacuum"], parameters.compactMapValues { $0 })
        let freed = try await paths.client().post(target, .object([]))
        let (bytes, files) = (freed["freed_bytes"]?.integer ?? 0, freed["freed_files"]?.integer ?? 0)
        Output.error(files == 0 ? "nothing was removed" : "removed \(Output.size(bytes)) in \(files) files")
    }
}
