// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A structured record: a line with one JSON object, whose members are fields.
///
/// Fields are written as `journalctl -o json` writes them (systemd.io/JOURNAL_EXPORT_FORMATS): a value is a string, or
/// an array of numbers 0–255 when it is not UTF-8; several values of one field are an array of these. Other JSON values
/// are values by their text. The record's own time, if it has one, is the first member, `GUESTLOG_TIME`, in RFC 3339
/// with nanoseconds in UTC.
public struct StructuredRecord: Equatable, Sendable {
    /// A field and its values.
    public struct Field: Equatable, Sendable {
        public var name: [UInt8]
        public var values: [[UInt8]]
        /// Whether the value is the text of a JSON value other than a string or bytes, as a number or true.
        public internal(set) var isLiteral = false

        public init(_ name: [UInt8], _ values: [[UInt8]]) {
            self.name = name
            self.values = values
        }

        /// A field with one value.
        public init(_ name: String, _ value: String) {
            self.init(Array(name.utf8), [Array(value.utf8)])
        }
    }

    public var fields: [Field]

    public static let timeName: ConstantBytes = "GUESTLOG_TIME"
    private static let priorityNames = ["PRIORITY", "level", "severity"]
    private static let messageNames = ["MESSAGE", "msg", "message", "log"]

    public init(_ fields: [Field] = []) {
        self.fields = fields
    }

    /// A record in which the values of fields with one name are one field, in their order. Readers of JSON understand an
    /// object with two members of one name in different ways, or not at all.
    public init(joining all: some Sequence<Field>) {
        fields = []
        var indexes: [[UInt8]: Int] = [:]
        for field in all {
            if let index = indexes[field.name] {
                fields[index].values += field.values
            } else {
                indexes[field.name] = fields.count
                fields.append(field)
            }
        }
    }

    /// Parses a line without its end; nil when it is not one JSON object.
    public init?(parsing line: UnsafeRawBufferPointer) {
        var parser = RecordParser(line)
        guard let fields = parser.record() else {
            return nil
        }
        self.fields = fields
    }

    /// The values of the field `name`; empty when there is none.
    public func values(of name: some Sequence<UInt8> & Equatable) -> [[UInt8]] {
        fields.first { $0.name.elementsEqual(name) }?.values ?? []
    }

    private func first(of names: [String]) -> [UInt8]? {
        for name in names {
            if let value = fields.first(where: { $0.name.elementsEqual(name.utf8) })?.values.first {
                return value
            }
        }
        return nil
    }

    /// What it says: `MESSAGE`, or what programs that write JSON call it.
    public var message: [UInt8]? { first(of: Self.messageNames) }

    /// Its severity: `PRIORITY`, or a level by name.
    public var severity: Severity? {
        first(of: Self.priorityNames).flatMap { Severity(word: String(decoding: $0.prefix(16), as: UTF8.self)) }
    }

    /// The program that wrote it, as journalctl shows it before the message: `name[pid]`.
    public var identifier: [UInt8]? {
        guard let name = first(of: ["SYSLOG_IDENTIFIER", "_COMM"]), !name.isEmpty else {
            return nil
        }
        guard let process = first(of: ["_PID", "SYSLOG_PID"]), !process.isEmpty else {
            return name
        }
        return name + [UInt8(ascii: "[")] + process + [UInt8(ascii: "]")]
    }

    /// The fields that are not the message, its severity or its time.
    public var otherFields: some Sequence<Field> {
        let shown = fields.first { field in Self.messageNames.contains { field.name.elementsEqual($0.utf8) } }?.name
        let hidden = [Array("PRIORITY".utf8), Array(Self.timeName)] + (shown.map { [$0] } ?? [])
        return fields.lazy.filter { !hidden.contains($0.name) }
    }

    // MARK: - Time

    /// The record's own time, in microseconds; nil when it has none. Reads only the beginning of the line.
    public static func time(in line: UnsafeRawBufferPointer) -> Timestamp? {
        let start = timeStart
        guard line.count > start.count + 30, line.starts(with: start) else {
            return nil
        }
        let rest = line.dropFirst(start.count)
        guard let end = rest.prefix(36).firstIndex(of: UInt8(ascii: "\"")) else {
            return nil
        }
        return Timestamp(rfc3339: UnsafeRawBufferPointer(rebasing: rest[..<end]))
    }

    private static let timeStart = Array("{\"".utf8) + timeName + Array("\":\"".utf8)

    // MARK: - Encoding

    /// The canonical line, without its end; with `time`, in nanoseconds since the Unix epoch, as its own time.
    public func encoded(nanoseconds time: Int64? = nil) -> [UInt8] {
        var out = [UInt8(ascii: "{")]
        if let time {
            Self.append(Array(Self.timeName), to: &out)
            out.append(UInt8(ascii: ":"))
            Self.append(Array(Timestamp.rfc3339(nanoseconds: time).utf8), to: &out)
        }
        for field in fields where time == nil || !field.name.elementsEqual(Self.timeName) {
            if out.count > 1 {
                out.append(UInt8(ascii: ","))
            }
            Self.append(field.name, to: &out)
            out.append(UInt8(ascii: ":"))
            Self.append(field.values, to: &out)
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// Appends a field's values in their JSON form.
    static func append(_ values: [[UInt8]], to out: inout [UInt8]) {
        guard values.count != 1 else {
            append(value: values[0], to: &out)
            return
        }
        out.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 {
                out.append(UInt8(ascii: ","))
            }
            append(value: value, to: &out)
        }
        out.append(UInt8(ascii: "]"))
    }

    private static func append(value: [UInt8], to out: inout [UInt8]) {
        guard String(validating: value, as: UTF8.self) != nil else {
            let numbers = value.map { String($0) }.joined(separator: ",")
            out.append(contentsOf: "[\(numbers)]".utf8)
            return
        }
        append(value, to: &out)
    }

    /// Appends text as a JSON string, safe on a terminal.
    public static func append(_ text: [UInt8], to out: inout [UInt8]) {
        text.withUnsafeBytes { _ = JSONText.append($0, to: &out) }
    }
}
