// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A condition on a record, as journalctl's matches: of each named field one value must match one of its patterns.
public struct RecordMatch: Hashable, Sendable {
    public struct Field: Hashable, Sendable {
        public var name: [UInt8]
        public var patterns: [GlobPattern]

        public init(_ name: String, _ patterns: [String]) {
            self.name = Array(name.utf8)
            self.patterns = patterns.map(GlobPattern.init)
        }
    }

    public var fields: [Field]

    public init(_ fields: [Field]) {
        self.fields = fields
    }

    func matches(_ record: RecordBuffer) -> Bool {
        fields.allSatisfy { field in
            record.fields.contains { candidate in
                record.matches(candidate.name, field.name)
                    && field.patterns.contains { $0.matches(record[candidate.value]) }
            }
        }
    }

    /// Whether every record that matches `other` matches this too, as far as that is easy to tell.
    func covers(_ other: RecordMatch) -> Bool {
        fields.allSatisfy { field in
            other.fields.contains { candidate in
                candidate.name == field.name
                    && candidate.patterns.allSatisfy { pattern in field.patterns.contains { $0.covers(pattern) } }
            }
        }
    }
}

/// A rule that gives a record another tag: the first whose condition holds applies.
public struct TagRule: Hashable, Sendable {
    public var match: RecordMatch
    public var tag: String

    public init(_ match: RecordMatch, tag: String) {
        self.match = match
        self.tag = tag
    }
}
