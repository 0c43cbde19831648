import ArgumentParser
import ControlAPI
import Glibc
import GuestlogService
import LogStore
import Platforms
import Query
import SystemIO

/// The command line. Each subcommand has a file of its own.
@main
struct Guestlog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guestlog",
        abstract: "Keep everything a virtual machine says, and hand it to whoever needs it.",
        discussion: """
            Exit status: 0 done (an empty log is fine), 1 --grep, --severity or wait matched nothing, 2 wrong use, \
            3 the daemon or the store is out of reach, 4 verify found damage; run exits as its command.
            """,
        version: Daemon.version,
        groupedSubcommands: [
            CommandGroup(name: "Capture", subcommands: [Serve.self, Run.self, Keep.self, Add.self, Drop.self]),
            CommandGroup(name: "Libvirt", subcommands: [VirtlogdCommand.self, Libvirt.self]),
            CommandGroup(
                name: "Read",
                subcommands: [Logs.self, VMs.self, Boots.self, Wait.self, Console.self, Export.self]
            ),
            CommandGroup(
                name: "Manage",
                subcommands: [Status.self, Verify.self, Remove.self, Token.self, Config.self]
            ),
        ]
    )

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot(typed())
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            leave(with: error)
        }
    }

    /// What was typed; a link to this program that is named virtlogd is that daemon.
    private static func typed() -> [String] {
        let typed = commandLine()
        let isVirtlogd = typed.first?.split(separator: "/").last == "virtlogd"
        return words((isVirtlogd ? ["virtlogd"] : []) + typed.dropFirst())
    }

    /// The words this process was started with, by the kernel's account (proc_pid_cmdline(5)). Swift's own finds them
    /// below the environment on the stack, and finds nothing when a preloaded library has moved that; then there are no
    /// words before the program's.
    private static func commandLine() -> [String] {
        let file = try? StoredFile("/proc/self/cmdline", .read, on: LinuxFileSystem())
        guard let bytes = try? file?.read(at: 0, count: LinuxFileSystem.smallFileLimit), bytes.last == 0 else {
            return CommandLine.arguments
        }
        return bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// What was typed, with the latest boot put behind a bare -b, as journalctl reads it: the parser knows no option
    /// that takes a number or nothing.
    private static func words(_ typed: [String]) -> [String] {
        var words: [String] = []
        let own = typed.prefix { $0 != "--" }
        for (place, word) in own.enumerated() {
            words.append(word)
            let isBare = place + 1 == own.count || Int(own[place + 1]) == nil
            if word == "-b" || word == "--boot", isBare {
                words.append("0")
            }
        }
        return words + typed[own.count...]
    }

    private static func leave(with error: any Error) -> Never {
        switch error {
        case let code as ExitCode:
            _exit(code.rawValue)
        case let error as Output.Closed:
            _exit(error.code)
        case is ControlClient.Unreachable, is SystemError, is VirtlogdTakeOver.Refused,
            is ForegroundRun.Busy, is PathOptions.Unreadable:
            Output.error("\(error)")
            _exit(ExitCode.outOfReach.rawValue)
        case let error as APIError where error.status >= 500:
            Output.error("\(error)")
            _exit(ExitCode.outOfReach.rawValue)
        case is APIError, is QueryError, is DomainXMLError, is ConfigurationError, is WordError, is PatternError:
            Output.error("\(error)")
            _exit(ExitCode.wrongUse.rawValue)
        default:
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code == .success {
                try? Output.write(text + "\n")
                _exit(0)
            }
            Output.error(text, prefix: "")
            _exit(code == .validationFailure ? ExitCode.wrongUse.rawValue : code.rawValue)
        }
    }
}

extension ExitCode {
    /// A filter or `wait` matched nothing.
    static let nothingMatched = ExitCode(1)
    /// `verify` found damage.
    static let damageFound = ExitCode(4)
    /// The command line, or what it names, is wrong.
    static let wrongUse = ExitCode(2)
    /// The daemon or the store cannot be reached.
    static let outOfReach = ExitCode(3)
}
