// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Parses the JSON object of a record, without a tree: members become fields. Nesting and size are limited by the line.
struct RecordParser {
    private var scanner: JSONScanner
    /// Whether a value was an array of bytes.
    private var hasBytes = false
    /// Whether the last member's value was neither a string, nor several, nor bytes.
    private var isLiteral = false

    init(_ bytes: UnsafeRawBufferPointer) {
        scanner = JSONScanner(bytes)
    }

    /// Whether a JSON value is read as bytes: it is an array of numbers 0–255, or of such arrays.
    static func readsAsBytes(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.first == UInt8(ascii: "["), mayContainBytes(value) else {
            return false
        }
        var parser = RecordParser(value)
        return parser.elements(isNested: false) != nil && parser.hasBytes
    }

    /// Whether an array has a number or an array in it: false is certain, and found without parsing.
    private static func mayContainBytes(_ array: UnsafeRawBufferPointer) -> Bool {
        let first = array.dropFirst().first { $0 > 0x20 } ?? 0
        return first &- UInt8(ascii: "0") <= 9 || array.firstOffset(of: UInt8(ascii: "["), from: 1) != nil
    }

    /// The fields of the object that is the whole text; nil when it is something else.
    mutating func record() -> [StructuredRecord.Field]? {
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: "{")) else {
            return nil
        }
        var fields: [StructuredRecord.Field] = []
        scanner.skipSpace()
        if !scanner.take(UInt8(ascii: "}")) {
            repeat {
                scanner.skipSpace()
                guard let name = string() else {
                    return nil
                }
                scanner.skipSpace()
                guard scanner.take(UInt8(ascii: ":")) else {
                    return nil
                }
                scanner.skipSpace()
                isLiteral = false
                guard let values = values() else {
                    return nil
                }
                var field = StructuredRecord.Field(name, values)
                field.isLiteral = isLiteral
                fields.append(field)
                scanner.skipSpace()
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "}")) else {
                return nil
            }
        }
        scanner.skipSpace()
        return scanner.offset == scanner.bytes.count ? fields : nil
    }

    // MARK: - Values

    private mutating func values() -> [[UInt8]]? {
        switch scanner.current {
        case nil:
            return nil
        case UInt8(ascii: "\""):
            return string().map { [$0] }
        case UInt8(ascii: "["):
            let start = scanner.offset
            if let elements = elements(isNested: false) {
                return elements
            }
            scanner.offset = start
            isLiteral = true
            return text().map { [$0] }
        default:
            isLiteral = true
            return text().map { [$0] }
        }
    }

    /// The values that an array stands for: one of bytes, or several. nil when it is an array of something else.
    private mutating func elements(isNested: Bool) -> [[UInt8]]? {
        scanner.offset += 1
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) {
            return [[]]
        }
        var binary: [UInt8] = []
        var several: [[UInt8]] = []
        repeat {
            scanner.skipSpace()
            switch scanner.current {
            case nil:
                return nil
            case UInt8(ascii: "\"") where !isNested:
                guard let value = string() else {
                    return nil
                }
                several.append(value)
            case UInt8(ascii: "[") where !isNested:
                guard let value = elements(isNested: true) else {
                    return nil
                }
                several += value
            default:
                guard let number = text().flatMap({ UInt8(String(decoding: $0, as: UTF8.self)) }) else {
                    return nil
                }
                binary.append(number)
            }
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "]")), several.isEmpty || binary.isEmpty else {
            return nil
        }
        hasBytes = hasBytes || several.isEmpty
        return several.isEmpty ? [binary] : several
    }

    /// The text of any value, which is skipped.
    private mutating func text() -> [UInt8]? {
        let start = scanner.offset
        var depth = 0
        while let byte = scanner.current {
            switch byte {
            case UInt8(ascii: "\""):
                guard scanner.skipString() != nil else {
                    return nil
                }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 {
                    return scanner.offset > start ? Array(scanner.bytes[start..<scanner.offset]) : nil
                }
                depth -= 1
                if depth == 0 {
                    scanner.offset += 1
                    return Array(scanner.bytes[start..<scanner.offset])
                }
            case UInt8(ascii: ","), UInt8(ascii: " "):
                if depth == 0 {
                    return scanner.offset > start ? Array(scanner.bytes[start..<scanner.offset]) : nil
                }
            default:
                break
            }
            scanner.offset += 1
        }
        return nil
    }

    /// The contents of a string; nil when it is malformed.
    private mutating func string() -> [UInt8]? {
        let start = scanner.offset
        guard let isPlain = scanner.skipString() else {
            return nil
        }
        let contents = UnsafeRawBufferPointer(rebasing: scanner.bytes[start + 1..<scanner.offset - 1])
        return isPlain ? Array(contents) : GoEscape.decode(contents)
    }
}
