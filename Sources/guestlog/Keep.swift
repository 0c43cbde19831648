import ArgumentParser
import GuestlogService

struct Keep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a daemon of Guestlog's, and start it again with all its consoles and logs when it dies.",
        discussion: """
            What systemd does where there is one: guestlog keep -- guestlog virtlogd, or -- guestlog serve. Guests notice \
            nothing of a daemon that was killed. Signals are passed on; exits as the daemon does when that was told to.
            """
    )

    @Argument(parsing: .postTerminator, help: "The command that starts the daemon.")
    var command: [String]

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("a command is missing: guestlog keep -- guestlog virtlogd")
        }
    }

    func run() throws {
        let status = try Keeper(command, runtime: try paths.configuration().runtime).run()
        throw ExitCode(status)
    }
}
