// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService
import LogModel
import SystemIO

/// The command line. Each subcommand has a file of its own.
@main
struct Guestlog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guestlog",
        abstract: "Capture, store and show the console output of virtual machines.",
        discussion: """
            Exit status: 0 success (an empty log is not an error); 1 --grep, --severity, FIELD=VALUE or wait matched \
            nothing; 2 wrong usage, or a named file or standard output cannot be read or written; 3 the daemon, the \
            store, or another program that the command asks cannot be reached, or this user may not read all of the \
            store; 4 verify, kata-log --strict or iolog cat found damage. run, keep and iolog exec exit with their command's status.
            """,
        version: ProgramVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Capture",
                subcommands: [Serve.self, Run.self, Keep.self, Add.self, Drop.self, GuestSetup.self]
            ),
            CommandGroup(name: "Libvirt", subcommands: [VirtlogdCommand.self, Libvirt.self]),
            CommandGroup(name: "KubeVirt", subcommands: [KubeVirtCommand.self]),
            CommandGroup(
                name: "Read",
                subcommands: [Logs.self, VMs.self, Boots.self, Wait.self, Console.self, Export.self]
            ),
            CommandGroup(
                name: "Runtime logs",
                subcommands: [ImportCommand.self, Patterns.self, KataLog.self, IOLog.self]
            ),
            CommandGroup(
                name: "Manage",
                subcommands: [
                    Status.self, Verify.self, Remove.self, Vacuum.self, Token.self, OutputsCommand.self, Config.self,
                ]
            ),
        ]
    )

    static func main() {
        StandardStreams.reserve()
        WriteSignals.ignore()
        do {
            let (root, typed) = typed()
            var command = try root.parseAsRoot(CommandLineWords(typed, for: root).words)
            // Below it the library for network connections ends the process without a message.
            try DescriptorLimit.require(fewestDescriptors)
            if let asynchronous = command as? any AsyncParsableCommand {
                run(asynchronous)
            } else {
                try command.run()
            }
        } catch {
            leave(with: error)
        }
    }

    /// How many files every command may open.
    private static let fewestDescriptors = 64

    /// Runs a command at the usual priority. A task of the main thread would have a higher one, which only root's threads
    /// get; for others libdispatch writes a message to syslog.
    private static func run(_ command: any AsyncParsableCommand) {
        nonisolated(unsafe) var command = command
        let hasEnded = OneShot()
        Task.detached(priority: .medium) {
            do {
                try await command.run()
            } catch {
                leave(with: error)
            }
            hasEnded.signal()
        }
        hasEnded.wait()
    }

    /// The command line and its root command; when the program is invoked by another name, it is the program of that
    /// name.
    private static func typed() -> (root: any ParsableCommand.Type, words: [String]) {
        let typed = commandLine()
        let words = Array(typed.dropFirst())
        switch typed.first?.split(separator: "/").last {
        case "virtlogd": return (Guestlog.self, ["virtlogd"] + words)
        case "onDefineDomain": return (Guestlog.self, ["kubevirt", "on-define-domain"] + words)
        case "kubectl-guestlog": return (KubectlGuestlog.self, words)
        default: return (Guestlog.self, words)
        }
    }

    /// The arguments of this process as the kernel reports them (proc_pid_cmdline(5)). Swift finds its own below the
    /// environment on the stack, and finds none when a preloaded library has moved the environment; then there are no
    /// arguments before the program's.
    private static func commandLine() -> [String] {
        let arguments = ProcFile.strings("/proc/self/cmdline")
        return arguments.isEmpty ? CommandLine.arguments : arguments
    }

    private static func leave(with error: any Error) -> Never {
        switch error {
        case is Output.Closed:
            _exit(ExitCode.success.rawValue)
        case let code as ExitCode:
            _exit(code.rawValue)
        case let error as ConfigurationError:
            error.all.forEach { Output.error("\($0)") }
            _exit(ExitCode.wrongUse.rawValue)
        case let error as any StatusError:
            Output.error("\(error)")
            _exit(error.exitCode.rawValue)
        case _ where exitCode(for: error) == .failure:
            // No error of the parser, and none that says more: the command cannot be carried out as it was typed.
            Output.error("\(error)")
            _exit(ExitCode.wrongUse.rawValue)
        default:
            let code = exitCode(for: error)
            let text = BashCompletion.corrected(fullMessage(for: error))
            if code == .success {
                do {
                    try Output.write(text + "\n")
                } catch {
                    leave(with: error)
                }
                _exit(0)
            }
            // The parser's own prefix gives way to the one of all messages.
            let isError = text.hasPrefix("Error: ")
            Output.error(isError ? String(text.dropFirst(7)) : text, prefix: isError ? "guestlog: " : "")
            _exit(code == .validationFailure ? ExitCode.wrongUse.rawValue : code.rawValue)
        }
    }
}
