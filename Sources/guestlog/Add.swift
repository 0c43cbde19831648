import ArgumentParser
import ControlAPI
import LogModel

struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the daemon capture one more console.",
        discussion: """
            The endpoint: connect:PATH a socket the VMM listens on (QEMU: socket,server=on,wait=off), listen:PATH one it \
            connects to, tcp:ADDRESS:PORT a port it listens on, pty:PATH a pseudo-terminal, fifo:PATH a named pipe. A path \
            is for root and the daemon's own user.
            """
    )

    @Argument(help: "The VM's name.")
    var vm: String

    @Argument(help: "Where its console is.")
    var endpoint: String

    @Option(help: "Its UUID.")
    var uuid: String?

    @Option(help: "Its namespace.")
    var namespace: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The stream it feeds.", valueName: "stream"))
    var stream: String?

    @Option(help: ArgumentHelp("A plain rotated file that gets every byte too.", valueName: "path"))
    var plainFile: String?

    @Flag(help: "Reach it only while somebody is on it, and keep nothing of it: its log is kept another way.")
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
        _ = try await paths.client().post(RequestTarget(["v1", "consoles"]), .object(members))
    }
}

struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the daemon let go of a VM's console; the log stays."
    )

    @Argument(help: "The VM's name.")
    var vm: String

    @OptionGroup var paths: PathOptions

    func run() async throws {
        _ = try await paths.client().delete(RequestTarget(["v1", "consoles", vm]))
    }
}
