// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Which values of fields are requested, as in journalctl: of each named field one of the values given for it.
public struct FieldMatches: Hashable, Sendable {
    private var values: [[UInt8]: Set<[UInt8]>] = [:]

    /// Any record, and any line without fields.
    public init() {}

    /// The matches `words`, each `FIELD=VALUE`.
    public init(_ words: [String]) throws(WordError) {
        for word in words {
            guard let (name, value) = Self.parts(of: word) else {
                throw WordError(word: word, wanted: "a field and its value", accepted: "FIELD=VALUE")
            }
            values[Array(name.utf8), default: []].insert(Array(value.utf8))
        }
    }

    public var isEmpty: Bool { values.isEmpty }

    /// As words, sorted.
    public var words: [String] {
        values.flatMap { name, values in
            values.map { String(decoding: name + [UInt8(ascii: "=")] + $0, as: UTF8.self) }
        }.sorted()
    }

    /// Whether `word` has the form of a match: a name of letters, digits, `_`, `.` and `-`, then `=`.
    public static func isMatch(_ word: String) -> Bool { parts(of: word) != nil }

    private static func parts(of word: String) -> (name: Substring, value: Substring)? {
        guard let sign = word.firstIndex(of: "="), sign > word.startIndex else {
            return nil
        }
        let name = word[..<sign]
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isName ? (name, word[word.index(after: sign)...]) : nil
    }

    /// Whether a record has them; lines without fields have none.
    func admit(_ record: StructuredRecord?) -> Bool {
        guard !values.isEmpty else {
            return true
        }
        guard let record else {
            return false
        }
        return values.allSatisfy { name, wanted in
            record.values(of: name).contains { wanted.contains($0) }
        }
    }
}
