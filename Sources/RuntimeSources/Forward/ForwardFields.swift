// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Makes fields of a record in MessagePack, as `RecordFormat` makes them of JSON: members of objects inside have their names
/// joined by points.
struct ForwardFields {
    private static let tagName = Array("tag".utf8)
    /// Members of deeper objects are one field.
    private static let depth = 8

    private var names = JoinedNames()
    /// The bytes of names and values so far.
    private var size = 0

    /// Replaces the contents of `record`.
    static func read(_ value: MessagePackValue, time: Int64?, tag: [UInt8], into record: inout RecordBuffer) {
        record.removeAll()
        record.time = time
        var fields = ForwardFields()
        _ = fields.append(value, name: [], depth: 0, to: &record)
        if record.firstIndex(of: tagName) == nil {
            record.append(tagName, tag)
        }
    }

    /// Adds a value; returns false when the joined names would be too long for that.
    private mutating func append(
        _ value: MessagePackValue,
        name: [UInt8],
        depth: Int,
        to record: inout RecordBuffer
    ) -> Bool {
        switch value {
        case .map(let members) where depth < Self.depth && !(members.isEmpty && depth > 0) && !names.areTooLong:
            let count = record.fields.count
            if append(members, name: name, depth: depth, to: &record) {
                return true
            }
            // Of the record's own members each is there, such an object as one field.
            guard depth == 1 else {
                return false
            }
            record.fields.removeSubrange(count...)
            append(name, Self.json(value), .literal, to: &record)
        case .bytes(let bytes):
            append(name, bytes, .text, to: &record)
        case .extended(_, let bytes):
            append(name, bytes, .text, to: &record)
        default:
            append(name, Self.json(value), .literal, to: &record)
        }
        return true
    }

    private mutating func append(
        _ members: [(key: MessagePackValue, value: MessagePackValue)],
        name: [UInt8],
        depth: Int,
        to record: inout RecordBuffer
    ) -> Bool {
        for member in members {
            var part = Self.text(of: member.key)
            size += part.count
            if depth > 0 {
                guard names.add(name.count + 1, at: size) else {
                    return false
                }
                part = name + [UInt8(ascii: ".")] + part
            }
            guard append(member.value, name: part, depth: depth + 1, to: &record) else {
                return false
            }
        }
        return true
    }

    private mutating func append(
        _ name: [UInt8],
        _ value: some Collection<UInt8>,
        _ form: RecordBuffer.Form,
        to record: inout RecordBuffer
    ) {
        size += value.count
        record.append(name, value, form)
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
            for (index, element) in elements.enumerated() {
                out += index > 0 ? [UInt8(ascii: ",")] : []
                append(json: element, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .map(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                out += index > 0 ? [UInt8(ascii: ",")] : []
                text(of: member.key).withUnsafeBytes { _ = JSONText.append($0, to: &out) }
                out.append(UInt8(ascii: ":"))
                append(json: member.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }
}
