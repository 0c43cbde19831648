// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TextFormats

/// Why a command line cannot be understood.
struct CommandLineError: Error, CustomStringConvertible {
    let description: String

    init(description: String) {
        self.description = description
    }

    /// What people type who know other programs.
    private static let otherNames = [
        "ps": "vms", "list": "vms", "ls": "vms", "attach": "console", "tail": "logs", "cat": "logs", "show": "logs",
        "delete": "rm", "remove": "rm", "daemon": "serve", "info": "status", "check": "verify", "fsck": "verify",
    ]

    /// Options of `docker logs`, `kubectl logs` and journalctl, and what replaces them.
    static let otherOptions = [
        "--list-boots": "'guestlog boots VM' lists the boots", "--since-time": "use --since",
        "--disk-usage": "'guestlog vms' shows what is stored of each VM",
        "--vacuum-size": "'guestlog vacuum --size SIZE' removes old text",
        "--vacuum-time": "'guestlog vacuum --age AGE' removes old text",
        "--no-pager": "there is no pager", "-e": "use -n to see the end", "--pager-end": "use -n to see the end",
        "-u": "name a field: _SYSTEMD_UNIT=NAME.service", "--unit": "name a field: _SYSTEMD_UNIT=NAME.service",
        "-i": "use --ignore-case", "-v": "there is no inverted match", "-q": "redirect standard error",
        "-c": "use --stream", "--container": "use --stream", "--priority": "use --severity",
        "--case-sensitive": "use --ignore-case or --no-ignore-case", "--merge": "several VMs are always merged",
    ]

    static func unknownCommand(_ word: String, of command: any ParsableCommand.Type) -> CommandLineError {
        let names = command.configuration.subcommands.map { $0._commandName }
        let known = otherNames[word].flatMap { names.contains($0) ? $0 : nil }
        let prefix = command == Guestlog.self || command == KubectlGuestlog.self ? "" : command._commandName + " "
        let program = command == KubectlGuestlog.self ? "kubectl guestlog" : "guestlog"
        let remedy =
            (known ?? NearestWord.to(word, among: names)).map { "did you mean '\(program) \(prefix)\($0)'?" }
            ?? "'\(program) help' lists the commands"
        return CommandLineError(description: "unknown command '\(prefix)\(Terminal.safe(word))'; \(remedy)")
    }
}
