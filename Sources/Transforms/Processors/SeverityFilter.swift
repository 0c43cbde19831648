// SPDX-License-Identifier: Apache-2.0

public import LogModel
import TextFormats

/// Sets a record's severity, the field `PRIORITY`, from the word in another field.
public struct SeverityFilter: Hashable, Sendable {
    /// The field with the word.
    public var key: [UInt8]
    /// Severities of words; of others those that programs usually mean.
    public var words: [String: Severity]

    static let priority = Array("PRIORITY".utf8)

    public init(key: String, words: [String: Severity] = [:]) {
        self.key = Array(key.utf8)
        self.words = words
    }

    func apply(to record: inout RecordBuffer) {
        guard let value = record.value(of: key), value.count <= 32 else {
            return
        }
        let word = String(decoding: value, as: UTF8.self)
        if let severity = words[word] ?? Self.severity(of: word) {
            record.set(Self.priority, String(severity.rawValue).utf8, .plain)
        }
    }

    /// The severity of a level's usual word.
    static func severity(of word: String) -> Severity? {
        // Of a program, not of the system.
        word.lowercased() == "panic" ? .critical : Severity(word: word)
    }
}
