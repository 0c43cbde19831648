// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// The names that a protocol's records have for what Guestlog itself says: which VM, which stream, which record.
///
/// A guest chooses the names of its records' fields. Where these stand beside Guestlog's, one with such a name would
/// replace it at the receiver.
struct ReservedNames {
    private let names: [[UInt8]]
    /// Names of `RecordDetails`, and those in which its points are underscores.
    private static let prefixes = [RecordDetails.prefix, "guestlog_"].map { Array($0.utf8) }
    /// What a field with a reserved name has before it.
    private static let mark = Array("field_".utf8)

    init(_ names: String...) {
        self.names = names.map { Array($0.utf8) }
    }

    /// The fields of `record` besides the message, its severity and its time. Those with reserved names have `field_`
    /// before them.
    func fields(of record: OutputRecord) -> [StructuredRecord.Field] {
        guard let fields = record.fields?.otherFields else {
            return []
        }
        return fields.map { field in
            var field = field
            if names.contains(field.name) || Self.prefixes.contains(where: { field.name.starts(with: $0) }) {
                field.name = Self.mark + field.name
            }
            return field
        }
    }
}
