// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Parts of JSON objects that several protocols write.
enum JSONFieldWriter {
    /// Appends `,"name":"text"`; `text` is repaired where it is not UTF-8.
    static func append(_ name: StaticString, _ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        appendName(name, to: &out)
        JSONText.append(text, to: &out)
    }

    /// Appends `,"name":"text"`.
    static func append(_ name: StaticString, _ text: String, to out: inout [UInt8]) {
        appendName(name, to: &out)
        JSON.append(text, to: &out)
    }

    private static func appendName(_ name: StaticString, to out: inout [UInt8]) {
        out.append(contentsOf: ",\"".utf8)
        out.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        out.append(contentsOf: "\":".utf8)
    }

    /// Appends `,"fields":{…}` with these members, in which numbers, true, false and null are what they are in the record;
    /// nothing for a record without such fields.
    static func append(object record: StructuredRecord, to out: inout [UInt8]) {
        var members: [UInt8] = []
        append(members: record.otherFields, keepsTypes: true, to: &members)
        guard !members.isEmpty else {
            return
        }
        out.append(contentsOf: #","fields":{"#.utf8)
        out.append(contentsOf: members.dropFirst())
        out.append(UInt8(ascii: "}"))
    }

    /// Appends fields as members with a comma before each; several values become one text with a line for each. Values are
    /// strings, as Loki knows nothing else, but for those that `keepsTypes` is for.
    static func append(
        members fields: some Sequence<StructuredRecord.Field>,
        keepsTypes: Bool = false,
        to out: inout [UInt8]
    ) {
        for field in fields {
            out.append(UInt8(ascii: ","))
            StructuredRecord.append(field.name, to: &out)
            out.append(UInt8(ascii: ":"))
            if keepsTypes, let literal = literal(of: field) {
                out.append(contentsOf: literal)
                continue
            }
            let joined = Array(field.values.joined(separator: [Lines.feed]))
            joined.withUnsafeBytes { _ = JSONText.append($0, to: &out) }
        }
    }

    /// The value of a field that is true, false, null, or a number that 64 bits can represent, as JSON; nil for any other.
    private static func literal(of field: StructuredRecord.Field) -> [UInt8]? {
        guard field.isLiteral, let value = field.values.first, let json = try? JSON(parsing: value) else {
            return nil
        }
        switch json {
        case .null, .bool, .integer: return value
        // Larger integers would be of another type for the receiver.
        case .number(let number): return number.isFinite && value.contains(where: isFraction) ? value : nil
        case .string, .array, .object: return nil
        }
    }

    /// Whether a byte of a number says that it is no integer.
    private static func isFraction(_ byte: UInt8) -> Bool {
        [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(byte)
    }
}
