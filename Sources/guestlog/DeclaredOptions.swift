// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel

/// The options that a command declares, by their names.
struct DeclaredOptions {
    enum Option {
        /// A flag, by its long name, or its only one.
        case flag(String)
        /// An option with a value, by its long name, or its only one.
        case option(String)
    }

    private var options: [String: Option] = [:]

    /// The options whose value may be omitted, which the parser does not support, and what they are then: `-b` is the
    /// latest boot, as in journalctl.
    static let omittedValues = ["boot": "0"]

    /// The options of `command`, without those of its subcommands.
    init(of command: any ParsableCommand.Type) {
        // The parser's description of a command, from which it makes manual pages too.
        let description = try? JSON(parsing: command._dumpHelp().utf8)
        for argument in description?["command"]?["arguments"]?.elements ?? [] {
            let names = argument["names"]?.elements ?? []
            let long = names.first { $0["kind"]?.text == "long" } ?? names.first
            guard let name = long?["name"]?.text else {
                continue
            }
            let option: Option = argument["kind"]?.text == "flag" ? .flag(name) : .option(name)
            for name in names.compactMap({ $0["name"]?.text }) {
                options[name] = option
            }
        }
    }

    /// The option `name` as it is typed.
    static func spelled(_ name: String) -> String { (name.count == 1 ? "-" : "--") + name }

    /// The option named `name`, by one of its names without dashes.
    subscript(name: String) -> Option? { options[name] }

    /// All names of all options, without dashes.
    var names: [String] { options.keys.sorted() }

    /// The flag that sets the opposite of the flag `name`; nil when there is none.
    func opposite(of name: String) -> String? {
        let opposite = name.hasPrefix("no-") ? String(name.dropFirst(3)) : "no-" + name
        return options[opposite] == nil ? nil : opposite
    }
}
