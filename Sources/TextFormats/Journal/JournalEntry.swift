// SPDX-License-Identifier: Apache-2.0

/// An entry of a systemd journal: fields in order, whose names may repeat and whose values are any bytes.
public struct JournalEntry: Equatable, Sendable {
    public struct Field: Equatable, Sendable {
        public var name: [UInt8]
        public var value: [UInt8]

        public init(_ name: [UInt8], _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public var fields: [Field]
    /// Whether a value was cut, a field omitted, or the end is missing.
    public var isTruncated: Bool

    public init(_ fields: [Field] = [], isTruncated: Bool = false) {
        self.fields = fields
        self.isTruncated = isTruncated
    }

    /// The first value of the field `name`.
    public func value(of name: String) -> [UInt8]? {
        fields.first { $0.name.elementsEqual(name.utf8) }?.value
    }

    /// When it was logged, in nanoseconds since the Unix epoch: by its writer, else by journald.
    public var time: Int64? {
        for name in ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"] {
            if let digits = value(of: name), let microseconds = ASCIIDigits.value(of: digits),
                microseconds < Int64.max / 1000
            {
                return Int64(microseconds) * 1000
            }
        }
        return nil
    }

    /// The field that says that an entry is not complete.
    public static let truncatedName = "GUESTLOG_TRUNCATED"

    /// The entry as a structured record, the values of a repeated field together.
    public var record: StructuredRecord {
        var record = StructuredRecord(joining: fields.lazy.map { StructuredRecord.Field($0.name, [$0.value]) })
        if isTruncated {
            record.fields.append(StructuredRecord.Field(Self.truncatedName, "1"))
        }
        return record
    }
}
