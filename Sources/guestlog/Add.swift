// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel

struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a console to capture.",
        discussion: """
            The endpoint: connect:PATH a socket the VMM listens on (QEMU: socket,server=on,wait=off), listen:PATH one it \
            connects to, tcp:ADDRESS:PORT a port it listens on, pty:PATH a pseudo-terminal, fifo:PATH a named pipe. Paths \
            are allowed for root and the daemon's own user only. The console lasts until drop or rm, over restarts of the \
            daemon; to keep it over a reboot of the host too, put it into the configuration file.
            """
    )

    @Argument(help: "The VM's name.")
    var vm: String

    @Argument(help: "The console's endpoint.")
    var endpoint: String

    @Option(help: "Its UUID.")
    var uuid: String?

    @Option(help: "Its namespace.")
    var namespace: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The stream to store it as.", valueName: "stream"))
    var stream: String?

    @Option(help: ArgumentHelp("A plain rotated file that gets every byte too.", valueName: "path"))
    var plainFile: String?

    @Flag(help: "Connect only while a client is joined, and do not store the output (it is stored another way).")
    var onDemand = false

    @OptionGroup var paths: PathOptions

    func run() async throws {
        var members: [(String, JSON)] = [("name", .string(vm)), ("endpoint", .string(endpoint))]
        let optional = [("uuid", uuid), ("namespace", namespace), ("stream", stream), ("plain_file", plainFile)]
        if onDemand {
            members.append(("on_demand", .bool(true)))
        }
        for (name, value) in optional {
            if let value {
                members.append((name, .string(value)))
            }
        }
        let added = try await paths.client().post(RequestTarget(["v1", "consoles"]), .object(members))
        Output.error("\(Terminal.safe(added["added"]?.text ?? vm)): \(Terminal.safe(endpoint)) was added")
    }
}

struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Remove a VM's console; the log stays."
    )

    @Argument(
        help: VMHelp.one,
        completion: Completions.vms
    )
    var vm: String

    @OptionGroup var paths: PathOptions

    func run() async throws {
        _ = try await paths.client().delete(RequestTarget(["v1", "consoles", vm]))
        Output.error("\(Terminal.safe(vm)) is no longer captured; its log stays")
    }
}
