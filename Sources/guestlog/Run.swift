import ArgumentParser
import GuestlogService

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one VM under capture in the foreground: no daemon, no configuration.",
        discussion: """
            The command gets a terminal of its own as the VM's console (qemu -nographic, -serial stdio, Firecracker, \
            anything that talks on its standard streams); this terminal is one more watcher. Exits as the command does; \
            127 when there is no such command. SIGTERM, SIGINT and SIGHUP are passed on to it.
            """
    )

    @Option(help: "The VM's name; by default the command's.")
    var name: String?

    @Argument(parsing: .postTerminator, help: "The command that starts the VM.")
    var command: [String]

    @OptionGroup var places: PlaceOptions

    func validate() throws {
        if name?.isEmpty == true {
            throw ValidationError("--name is empty: a VM needs a name")
        }
        if command.isEmpty {
            throw ValidationError("a command is missing: guestlog run -- qemu-system-x86_64 …")
        }
    }

    func run() throws {
        let configuration = try places.configuration()
        let program = command[0].split(separator: "/").last.map { String($0) } ?? command[0]
        let run = ForegroundRun(configuration, name: name ?? program, command: command)
        let mode = Terminal.makeRaw()
        let status: Int32
        do {
            status = try run.run()
        } catch {
            Terminal.restore(mode)
            guard let error = error as? ForegroundRun.CannotStart else {
                throw error
            }
            Output.error("\(error)")
            throw ExitCode(error.status)
        }
        Terminal.restore(mode)
        throw ExitCode(status)
    }
}
