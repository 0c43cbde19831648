// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TextFormats

/// Rewrites a command line as people type it into one that the argument parser accepts.
///
/// The parser accepts fewer spellings than getopt(3), kubectl and journalctl:
/// - values joined to short options, and flags grouped with them: `-n20`, `-b-1`, `-ojson`, `-fn20`;
/// - values that begin with a dash: `--since -1h`, `-n -1`;
/// - flags with a value: `--follow=false`, `--prefix=true`;
/// - a number that may be omitted: `-b`.
///
/// Each option becomes its long form, its value joined by `=`. Which options there are, and which of them take a value,
/// is read from the commands' declarations.
struct CommandLineWords {
    /// The command line that the parser accepts.
    private(set) var words: [String] = []
    private var rest: ArraySlice<String>
    /// The command that the words name so far, and how it is called.
    private var command: any ParsableCommand.Type
    private var commandName: String

    /// What other programs print their version for.
    private static let versionWords = ["version", "-v", "-V"]
    /// The options that every command has, which no command declares.
    private static let parserOptions = ["--help", "-h", "--help-hidden", "--version", "--experimental-dump-help"]

    /// Rewrites `typed`, the words after the program's name, for `root` and its subcommands. Throws `CommandLineError`.
    init(_ typed: [String], for root: any ParsableCommand.Type) throws {
        rest = typed[...]
        command = root
        commandName = root == KubectlGuestlog.self ? "kubectl guestlog" : "guestlog"
        if let word = typed.first, Self.versionWords.contains(word) {
            words = ["--version"]
            rest.removeFirst()
        }
        while let subcommand = try takeSubcommand(of: command) {
            command = subcommand
            commandName += " " + subcommand._commandName
        }
        // A command with subcommands has no options of its own.
        if command.configuration.subcommands.isEmpty {
            try takeOptions(DeclaredOptions(of: command))
        }
        words += rest
    }

    // MARK: - Commands

    /// Takes the name of a subcommand of `command`; nil when something else comes next.
    private mutating func takeSubcommand(of command: any ParsableCommand.Type) throws -> (any ParsableCommand.Type)? {
        let subcommands = command.configuration.subcommands
        guard !subcommands.isEmpty, let word = rest.first, !word.hasPrefix("-") else {
            return nil
        }
        if word == "help" {
            try checkHelp(of: command)
            return nil
        }
        guard let subcommand = subcommands.first(where: { $0._commandName == word }) else {
            throw CommandLineError.unknownCommand(word, of: command)
        }
        words.append(word)
        rest.removeFirst()
        return subcommand
    }

    /// Checks that the commands behind `help` exist: the parser shows the help of the last that does.
    private func checkHelp(of command: any ParsableCommand.Type) throws {
        var command = command
        for word in rest.dropFirst() where !word.hasPrefix("-") {
            guard let subcommand = command.configuration.subcommands.first(where: { $0._commandName == word }) else {
                throw CommandLineError.unknownCommand(word, of: command)
            }
            command = subcommand
        }
    }

    // MARK: - Options

    /// Takes the words up to `--`, behind which nothing is an option.
    private mutating func takeOptions(_ declared: DeclaredOptions) throws {
        while let word = rest.first, word != "--" {
            rest.removeFirst()
            if word.hasPrefix("--") {
                try takeLong(word, declared)
            } else if word.hasPrefix("-"), word != "-" {
                try takeShort(word, declared)
            } else {
                words.append(word)
            }
        }
    }

    private mutating func takeLong(_ word: String, _ declared: DeclaredOptions) throws {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count > 1 ? String(parts[1]) : nil
        switch declared[String(parts[0])] {
        case .flag(let name):
            try append(flag: name, value, declared)
        case .option(let name):
            try append(option: name, value)
        case nil:
            if try takeEquivalent(of: "--" + parts[0], value, declared) {
                return
            }
            try refuse("--" + parts[0], declared)
            words.append(word)
        }
    }

    /// Takes an option of `docker logs`, `kubectl logs` or journalctl that has an equivalent here; returns whether it is one.
    private mutating func takeEquivalent(
        of option: String,
        _ value: String?,
        _ declared: DeclaredOptions
    ) throws -> Bool {
        guard command == Logs.self || command == KubectlLogs.self, let equivalent = CommandLineError.equivalents[option]
        else {
            return false
        }
        switch equivalent {
        case .none: break
        case .flag(let name) where declared[name] != nil: try append(flag: name, value, declared)
        case .option(let name) where declared[name] != nil: try append(option: name, value)
        default: return false
        }
        return true
    }

    /// The same for a short option, whose value may be `letters`.
    private mutating func takeEquivalent(
        of option: String,
        joinedTo letters: inout Substring,
        _ declared: DeclaredOptions
    ) throws -> Bool {
        guard case .option = CommandLineError.equivalents[option], !letters.isEmpty else {
            return try takeEquivalent(of: option, nil, declared)
        }
        let value = letters.first == "=" ? letters.dropFirst() : letters
        guard try takeEquivalent(of: option, String(value), declared) else {
            return false
        }
        letters = ""
        return true
    }

    /// Takes a group of flags, of which the last may be an option, with its value behind it or in the next word.
    private mutating func takeShort(_ word: String, _ declared: DeclaredOptions) throws {
        var letters = word.dropFirst()
        // Where a letter is unknown the parser reports the whole word.
        let before = words
        while let letter = letters.popFirst() {
            switch declared[String(letter)] {
            case .flag(let name):
                let hasValue = letters.first == "="
                try append(flag: name, hasValue ? String(letters.dropFirst()) : nil, declared)
                letters = hasValue ? "" : letters
            case .option(let name):
                let joined = letters.first == "=" ? letters.dropFirst() : letters
                let isValue = letters.first == "=" || Int(joined) != nil || BootArgument.isWord(joined)
                if let omitted = DeclaredOptions.omittedValues[name], !isValue, !joined.isEmpty {
                    // -bf: the number is omitted, and f is the next letter.
                    words.append("--\(name)=\(omitted)")
                } else {
                    try append(option: name, letters.isEmpty ? nil : String(joined))
                    letters = ""
                }
            case nil:
                if try takeEquivalent(of: "-\(letter)", joinedTo: &letters, declared) {
                    continue
                }
                try refuse("-\(letter)", declared)
                words = before + [word]
                return
            }
        }
    }

    /// Throws for an option that is not the parser's own.
    private func refuse(_ option: String, _ declared: DeclaredOptions) throws {
        guard !Self.parserOptions.contains(option) else {
            return
        }
        if let remedy = CommandLineError.remedy(for: option, of: command) {
            throw CommandLineError(description: "unknown option \(option): \(remedy)")
        }
        throw CommandLineError.unknownOption(option, of: commandName, among: declared.names)
    }

    /// Appends a flag. Without an opposite one, `false` revokes it: the last of several decides, as in kubectl.
    private mutating func append(flag name: String, _ value: String?, _ declared: DeclaredOptions) throws {
        guard let value else {
            words.append("--" + name)
            return
        }
        let isSet: Bool
        switch value.lowercased() {
        case "1", "t", "true", "yes", "on": isSet = true
        case "0", "f", "false", "no", "off": isSet = false
        default: throw CommandLineError(description: "--\(name)=\(Terminal.safe(value)): must be true or false")
        }
        let opposite = declared.opposite(of: name)
        if isSet {
            words.append("--" + name)
        } else if let opposite {
            words.append("--" + opposite)
        } else {
            words.removeAll { $0 == "--" + name }
        }
    }

    /// Appends an option with `value`, else with the next word, whatever it begins with, as getopt(3) does.
    private mutating func append(option name: String, _ value: String?) throws {
        var value = value
        if value == nil, let omitted = DeclaredOptions.omittedValues[name] {
            let isValue = rest.first.map { Int($0) != nil || BootArgument.isAll($0) || BootArgument.isID($0) } ?? false
            value = isValue ? rest.removeFirst() : omitted
        } else if value == nil, let next = rest.first, next != "--" {
            value = rest.removeFirst()
        }
        if name == "boot", let value {
            guard !BootArgument.isAll(value) else {
                // All boots are shown when none is named.
                return
            }
            try BootArgument.check(value)
        }
        let option = DeclaredOptions.spelled(name)
        guard let value else {
            words.append(option)
            return
        }
        // The parser takes `--name=` for an option without a value.
        words += value.isEmpty ? [option, ""] : ["\(option)=\(value)"]
    }
}
