// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A field and a value.
public struct FieldValue: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]

    public init(_ name: String, _ value: String) {
        self.name = Array(name.utf8)
        self.value = Array(value.utf8)
    }
}

// Filters that change names and select fields.
extension RecordBuffer {
    /// Puts `prefix` before the names of all fields.
    mutating func addPrefix(_ prefix: [UInt8]) {
        for index in fields.indices {
            let name = fields[index].name
            fields[index].name = store(prefix, copyOf: name)
        }
    }

    /// Gives the fields of the first name of each pair the second.
    mutating func rename(_ pairs: [FieldValue]) {
        for index in fields.indices {
            if let pair = pairs.first(where: { matches(fields[index].name, $0.name) }) {
                fields[index].name = store(pair.value)
            }
        }
    }

    /// Keeps only the fields that one of the paths names, or that are inside.
    mutating func keep(_ paths: [FieldPath]) {
        fields = fields.filter { field in paths.contains { $0.contains(self[field.name]) } }
    }
}
