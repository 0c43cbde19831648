// SPDX-License-Identifier: Apache-2.0

/// A JSON value (RFC 8259) with a canonical text form: members in the order of insertion, no white space, integers
/// exact to 64 bits.
///
/// Structured records and the store's own metadata are stored in this form.
public indirect enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }
        default: false
        }
    }

    public subscript(name: String) -> JSON? {
        guard case .object(let members) = self else {
            return nil
        }
        return members.last { $0.0 == name }?.1
    }

    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var integer: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var elements: [JSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The canonical text.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        append(to: &out)
        return out
    }

    /// Appends the canonical text to `out`.
    public func append(to out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): out.append(contentsOf: String(value).utf8)
        case .number(let value): out.append(contentsOf: (value.isFinite ? String(value) : "null").utf8)
        case .string(let text): Self.append(text, to: &out)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                element.append(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.append(member.0, to: &out)
                out.append(UInt8(ascii: ":"))
                member.1.append(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// Appends `text` as a JSON string, safe to show on a terminal.
    public static func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { _ = JSONText.append(UnsafeRawBufferPointer($0), to: &out) }
    }
}

/// A JSON syntax error and its position.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was found wrong.
    public var reason: String
    /// The byte at which it was found, from 0.
    public var offset: Int

    public var description: String { "not JSON at byte \(offset): \(reason)" }
}

extension JSON {
    /// Parses `bytes`, which must contain exactly one value. Nesting deeper than 64 is refused, so hostile input cannot
    /// exhaust the stack.
    public init(parsing bytes: some Sequence<UInt8>) throws(JSONError) {
        var parser = JSONParser(bytes: Array(bytes))
        self = try parser.document()
    }
}
