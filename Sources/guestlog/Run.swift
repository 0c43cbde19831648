// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import LogModel
import SystemIO

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one VM under capture in the foreground, without a daemon.",
        discussion: """
            The command gets a terminal of its own as the VM's console (qemu -nographic, -serial stdio, Firecracker, \
            any program that uses its standard streams); this terminal watches it. Exits with the command's status; \
            127 when there is no such command. SIGTERM, SIGINT and SIGHUP are passed on to it.
            """
    )

    @Option(help: "The VM's name; by default the command's.")
    var name: String?

    @Argument(parsing: .postTerminator, help: "The command that starts the VM.")
    var command: [String]

    @OptionGroup var paths: PathOptions

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("a command is missing: guestlog run -- qemu-system-x86_64 …")
        }
    }

    func run() throws {
        let configuration = try paths.configuration()
        let name = name ?? DirectoryHandle.split(command[0]).name
        try Self.check(name)
        let run = ForegroundRun(configuration, name: name, command: command)
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
