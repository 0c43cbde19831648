// SPDX-License-Identifier: Apache-2.0

/// Why a word is not a valid value.
public struct WordError: Error, Hashable, Sendable, CustomStringConvertible {
    public var word: String
    /// The expected kind of value, with its article: "a time".
    public var wanted: String
    /// Examples of valid values.
    public var accepted: String

    public init(word: String, wanted: String, accepted: String) {
        self.word = word
        self.wanted = wanted
        self.accepted = accepted
    }

    public var description: String { "'\(word)' is not \(wanted); write \(accepted)" }
}
