// SPDX-License-Identifier: Apache-2.0

import Query
import TextFormats

/// Replaces what patterns match, such as passwords, before a record leaves this host.
struct Redaction {
    private let patterns: [Pattern]

    /// What stands in place of a match.
    static let replacement = Array("[redacted]".utf8)

    /// Throws when one of `expressions` is not a regular expression.
    init(_ expressions: [String]) throws(PatternError) {
        var patterns: [Pattern] = []
        for expression in expressions {
            patterns.append(try Pattern(expression))
        }
        self.patterns = patterns
    }

    var isEmpty: Bool { patterns.isEmpty }

    /// `text` without matches; nil when there is none. A text that a pattern takes too long to search is replaced whole.
    func redact(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var redacted: [UInt8]?
        for pattern in patterns {
            let result = (redacted ?? []).withUnsafeBytes { replace(pattern, in: redacted == nil ? text : $0) }
            redacted = result ?? redacted
        }
        return redacted
    }

    /// `record` without matches in its values.
    func redact(_ record: StructuredRecord) -> StructuredRecord {
        var record = record
        for field in record.fields.indices {
            for value in record.fields[field].values.indices {
                if let redacted = record.fields[field].values[value].withUnsafeBytes({ redact($0) }) {
                    record.fields[field].values[value] = redacted
                }
            }
        }
        return record
    }

    private func replace(_ pattern: Pattern, in text: UnsafeRawBufferPointer) -> [UInt8]? {
        var out: [UInt8] = []
        var matcher = Matcher(pattern)
        var copied = 0
        for match in matcher.matches(in: text) where !match.isEmpty {
            out += text[copied..<match.lowerBound]
            out += Self.replacement
            copied = match.upperBound
        }
        guard !matcher.hasGivenUp else {
            return Self.replacement
        }
        return out.isEmpty ? nil : out + text[copied...]
    }
}
