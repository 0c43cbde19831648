// SPDX-License-Identifier: Apache-2.0

/// How the result is written.
public enum OutputFormat: String, CaseIterable, Sendable {
    /// The line, made safe for a terminal.
    case text
    /// Time, VM and stream before it, as in `journalctl`.
    case short
    case json
    case logfmt
    case cri
    case export
    /// As `text`, but with every stored byte: what a terminal would act on is written as an escape.
    case escaped
    case raw

    /// The format `word`; `journal` is an alias of `export`.
    public init?(word: String) {
        let word = word.lowercased()
        self.init(rawValue: Self.aliases[word]?.rawValue ?? word)
    }

    /// Other names, as systemd has them. Its formats whose times `short` does not print are left out.
    private static let aliases: [String: OutputFormat] = ["journal": .export, "cat": .text, "json-pretty": .json]

    /// All names, separated by commas.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// The other names that are accepted, separated by commas.
    public static var otherNames: String { aliases.keys.sorted().joined(separator: ", ") }

    /// Whether it is for people, on a terminal.
    public var isHuman: Bool { [.text, .short, .escaped].contains(self) }

    /// Whether it contains raw guest bytes, on which a terminal would act.
    public var isVerbatim: Bool { self == .cri || self == .export || self == .raw }
}
