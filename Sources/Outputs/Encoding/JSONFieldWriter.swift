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

    /// Appends `,"fields":{…}` with these members; nothing for a record without such fields.
    static func append(object record: StructuredRecord, to out: inout [UInt8]) {
        var members: [UInt8] = []
        append(members: record.otherFields, to: &members)
        guard !members.isEmpty else {
            return
        }
        out.append(contentsOf: #","fields":{"#.utf8)
        out.append(contentsOf: members.dropFirst())
        out.append(UInt8(ascii: "}"))
    }

    /// Appends fields as members with a comma before each; several values become one text with a line for each, as Loki
    /// and others know strings only.
    static func append(members fields: some Sequence<StructuredRecord.Field>, to out: inout [UInt8]) {
        for field in fields {
            out.append(UInt8(ascii: ","))
            StructuredRecord.append(field.name, to: &out)
            out.append(UInt8(ascii: ":"))
            let joined = Array(field.values.joined(separator: [Lines.feed]))
            joined.withUnsafeBytes { _ = JSONText.append($0, to: &out) }
        }
    }
}
