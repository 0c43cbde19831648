// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService

struct Keep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keep",
        abstract: "Run a Guestlog daemon, and restart it with all its consoles and logs after a crash.",
        usage: "guestlog keep [--config <file>] -- <command> ...",
        discussion: """
            For hosts without systemd: guestlog keep -- guestlog virtlogd, or -- guestlog serve. Guests do not notice a \
            crash of the daemon. Signals are passed on; exits with the daemon's status after a requested stop.
            """
    )

    @Argument(parsing: .postTerminator, help: "The command that starts the daemon.")
    var command: [String]

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("a command is missing: use 'guestlog keep -- guestlog virtlogd'")
        }
    }

    func run() throws {
        let status = try Keeper(command, runtime: try paths.configuration().runtime).run()
        throw ExitCode(status)
    }
}
