// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Makes fields of a record in MessagePack, as `RecordFormat` makes them of JSON: members of objects inside have their names
/// joined by points.
enum ForwardFields {
    private static let tagName = Array("tag".utf8)
    /// Members of deeper objects are one field.
    private static let depth = 8

    /// Replaces the contents of `record`.
    static func read(_ value: MessagePackValue, time: Int64?, tag: [UInt8], into record: inout RecordBuffer) {
        record.removeAll()
        record.time = time
        append(value, name: [], depth: 0, to: &record)
        if record.firstIndex(of: tagName) == nil {
            record.append(tagName, tag)
        }
    }

    private static func append(_ value: MessagePackValue, name: [UInt8], depth: Int, to record: inout RecordBuffer) {
        switch value {
        case .map(let members) where depth < Self.depth && !(members.isEmpty && depth > 0):
            for member in members {
                let part = text(of: member.key)
                append(
                    member.value,
                    name: name.isEmpty ? part : name + [UInt8(ascii: ".")] + part,
                    depth: depth + 1,
                    to: &record
                )
            }
        case .bytes(let bytes):
            record.append(name, bytes)
        case .extended(_, let bytes):
            record.append(name, bytes)
        default:
            record.append(name, json(value), .literal)
        }
    }

    /// The name that a key is.
    private static func text(of key: MessagePackValue) -> [UInt8] {
        if case .bytes(let bytes) = key {
            return Array(bytes)
        }
        return json(key)
    }

    /// The value in JSON.
    private static func json(_ value: MessagePackValue) -> [UInt8] {
        var out: [UInt8] = []
        append(json: value, to: &out)
        return out
    }

    private static func append(json value: MessagePackValue, to out: inout [UInt8]) {
        switch value {
        case .null: out += Array("null".utf8)
        case .bool(let flag): out += Array((flag ? "true" : "false").utf8)
        case .integer(let number): out += Array(String(number).utf8)
        case .unsigned(let number): out += Array(String(number).utf8)
        case .float(let number): out += Array((number.isFinite ? String(number) : "null").utf8)
        case .bytes(let bytes), .extended(_, let bytes): bytes.withUnsafeBytes { _ = JSONText.append($0, to: &out) }
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (place, element) in elements.enumerated() {
                out += place > 0 ? [UInt8(ascii: ",")] : []
                append(json: element, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .map(let members):
            out.append(UInt8(ascii: "{"))
            for (place, member) in members.enumerated() {
                out += place > 0 ? [UInt8(ascii: ",")] : []
                text(of: member.key).withUnsafeBytes { _ = JSONText.append($0, to: &out) }
                out.append(UInt8(ascii: ":"))
                append(json: member.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }
}
