// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import LogModel
import SystemIO

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a VM in the foreground and capture its console, without a daemon.",
        usage: "guestlog run [--name <name>] [--store <dir>] [--config <file>] -- <command> ...",
        discussion: """
            The command gets a terminal of its own as the VM's console (qemu -nographic, -serial stdio, Firecracker, \
            any program that uses its standard streams); this terminal watches it. Exits with the command's status; \
            127 when there is no such command. SIGTERM, SIGINT, SIGHUP and SIGQUIT are passed on to it, SIGUSR1 and \
            SIGUSR2 if it handles them. Without a terminal here, the command's has 24 rows and 80 columns. The end of \
            piped input is passed on when the command reads a line. In the background, the terminal is left alone \
            until the job is brought to the foreground.
            """
    )

    @Option(help: "The VM's name; by default the command's, with the process's number while that is in use.")
    var name: String?

    @Argument(parsing: .postTerminator, help: "The command that starts the VM.")
    var command: [String]

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("a command is missing: use 'guestlog run -- qemu-system-x86_64 …'")
        }
        if paths.socket != nil {
            throw ValidationError("--socket: run asks no daemon and writes to the store itself: name that with --store")
        }
    }

    func run() throws {
        let configuration = try paths.configuration()
        try Self.check(name ?? ForegroundRun.name(like: command))
        let run = try ForegroundRun(configuration, name: name, command: command)
        if name == nil, run.vm != ForegroundRun.name(like: command) {
            Output.error("another process writes the log of \(ForegroundRun.name(like: command)); this VM is \(run.vm)")
        }
        throw ExitCode(try run.run())
    }

    /// Throws for an invalid VM name. Arguments arrive decoded, with U+FFFD where they are not UTF-8.
    private static func check(_ name: String) throws {
        var fault = VMIdentity.fault(inName: name)
        let arguments = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).compactMap {
            $0
        }
        if name.unicodeScalars.contains("\u{fffd}"), arguments.contains(where: { String(validatingCString: $0) == nil })
        {
            fault = "UTF-8"
        }
        if let fault {
            Output.error("a VM's name must be \(fault), not '\(Terminal.safe(name))'; set another with --name")
            throw ExitCode.wrongUse
        }
    }
}
