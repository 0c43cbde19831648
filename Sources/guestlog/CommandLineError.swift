// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import SystemIO
import TextFormats

/// Why a command line cannot be understood.
struct CommandLineError: Error, CustomStringConvertible {
    let description: String

    init(description: String) {
        self.description = description
    }

    /// What cannot be done with a file that the command line names, and why.
    init(file: String, _ failure: String, _ error: SystemError) {
        description = "\(Terminal.safe(file)) \(failure): \(error.reason)"
    }

    /// What people type who know other programs, or other commands here.
    private static let otherNames = [
        "ps": ["vms"], "list": ["vms", "show"], "ls": ["vms", "list", "show"], "attach": ["console"], "tail": ["logs"],
        "cat": ["logs"], "show": ["logs", "list"], "vm": ["vms"], "log": ["logs"], "boot": ["boots"],
        "delete": ["rm", "revoke"], "remove": ["rm", "revoke"], "rm": ["revoke"], "create": ["add"], "new": ["add"],
        "daemon": ["serve"], "info": ["status"], "check": ["verify"], "fsck": ["verify"], "test": ["check"],
        "validate": ["check"],
    ]

    /// What replaces an option of `docker logs`, `kubectl logs` or journalctl in a command that shows logs; nil for other
    /// options and commands.
    static func remedy(for option: String, of command: any ParsableCommand.Type) -> String? {
        if command == KubectlLogs.self || command == KubectlBoots.self, let remedy = kubectlOptions[option] {
            return remedy
        }
        guard command == Logs.self || command == KubectlLogs.self else {
            return nil
        }
        if Int(option.dropFirst()) != nil || option == "--limit" || option == "--last" {
            // In kubectl, -n is the namespace.
            return "use \(command == Logs.self ? "-n" : "--tail") for a number of lines"
        }
        return commonOptions[option] ?? (command == Logs.self ? otherOptions[option] : nil)
    }

    /// An option that `command`, typed as `name`, does not have.
    static func unknownOption(_ option: String, of name: String, among known: [String]) -> CommandLineError {
        let near = option.hasPrefix("--") ? NearestWord.to(String(option.dropFirst(2)), among: known) : nil
        if option == "--json", known.contains("output") {
            return CommandLineError(description: "unknown option --json; use -o json")
        }
        let remedy =
            near.map { "did you mean \(DeclaredOptions.spelled($0))?" }
            ?? "'\(name) --help' lists the options, and what follows -- is none"
        return CommandLineError(description: "unknown option \(Terminal.safe(option)); \(remedy)")
    }

    private static let commonOptions = [
        "-v": "there is no inverted match", "--invert-match": "there is no inverted match",
        "--case-sensitive": "use --ignore-case or --no-ignore-case",
        "--details": "-o json shows all that is known of a line",
        "--first": "use --head", "--start": "use --since", "--end": "use --until", "--to": "use --until",
        "--level": "use --severity", "--no-color": "use --color never",
    ]

    /// Options that are replaced by what `kubectl guestlog` does not have.
    private static let otherOptions = [
        "--list-boots": "'guestlog boots VM' lists the boots",
        "--disk-usage": "'guestlog vms' shows what is stored of each VM",
        "--vacuum-size": "'guestlog vacuum --size SIZE' removes old text",
        "--vacuum-time": "'guestlog vacuum --age AGE' removes old text",
        "-e": "use -n to see the end", "--pager-end": "use -n to see the end",
        "-u": "name a field: _SYSTEMD_UNIT=NAME.service", "--unit": "name a field: _SYSTEMD_UNIT=NAME.service",
        "-k": "name a field: _TRANSPORT=kernel", "--dmesg": "name a field: _TRANSPORT=kernel",
        "--identifier": "name a field: SYSLOG_IDENTIFIER=NAME", "--facility": "name a field: SYSLOG_FACILITY=NUMBER",
        "-F": "-o json shows all fields", "--field": "-o json shows all fields",
        "--output-fields": "-o json shows all fields, and jq selects some",
        "-M": "name the VM", "--machine": "name the VM", "-D": "use --store", "--directory": "use --store",
        "--verify": "'guestlog verify' checks the store", "--cursor-file": "use --show-cursor, then --cursor",
    ]

    private static let inConfiguration = "set it with kubectl config set-cluster or set-credentials"

    /// Options of kubectl that `kubectl guestlog` does not have.
    private static let kubectlOptions = [
        "--user": "use --context", "--cluster": "use --context",
        "--certificate-authority": inConfiguration, "--client-certificate": inConfiguration,
        "--client-key": inConfiguration, "--tls-server-name": inConfiguration, "--username": inConfiguration,
        "--password": inConfiguration, "--as-uid": inConfiguration,
        "--request-timeout": "an answer that does not come within 30 s is an error",
        "--max-log-requests": "logs of any number of VMs are read, a few at a time",
        "--all-containers": "one container of a pod has the console's log",
        "--ignore-errors": "the logs that can be read are shown anyway",
        "--limit-bytes": "use --tail or --head", "--v": "there are no further messages",
    ]

    /// What an option of these programs means here.
    enum Equivalent {
        /// Nothing: what it asks for is so anyway.
        case none
        case flag(String)
        case option(String)
    }

    /// Options of these programs that mean the same here under another name, or nothing.
    static let equivalents: [String: Equivalent] = [
        "--no-pager": .none, "--quiet": .none, "-q": .none, "--merge": .none, "-m": .none, "--no-hostname": .none,
        "-a": .none, "-l": .none, "--full": .none, "-x": .none, "--catalog": .none, "--no-tail": .none,
        "-i": .flag("ignore-case"), "--since-time": .option("since"), "--after-cursor": .option("cursor"),
        "--priority": .option("severity"), "-c": .option("stream"), "--container": .option("stream"),
    ]

    static func unknownCommand(_ word: String, of command: any ParsableCommand.Type) -> CommandLineError {
        let names = command.configuration.subcommands.map { $0._commandName }
        let known = otherNames[word]?.first { names.contains($0) }
        let prefix = command == Guestlog.self || command == KubectlGuestlog.self ? "" : command._commandName + " "
        let program = command == KubectlGuestlog.self ? "kubectl guestlog" : "guestlog"
        let remedy =
            (known ?? NearestWord.to(word, among: names)).map { "did you mean '\(program) \(prefix)\($0)'?" }
            ?? "'\(program) help\(prefix.isEmpty ? "" : " \(command._commandName)")' lists the commands"
        return CommandLineError(description: "unknown command '\(prefix)\(Terminal.safe(word))'; \(remedy)")
    }
}
