// SPDX-License-Identifier: Apache-2.0

/// Parses the JSON object of a record, without a tree: members become fields. Nesting and size are limited by the line.
struct RecordParser {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// Whether a value was an array of bytes.
    private var hasBytes = false
    /// Whether the last member's value was neither a string, nor several, nor bytes.
    private var isLiteral = false

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
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
        skipSpace()
        guard take(UInt8(ascii: "{")) else {
            return nil
        }
        var fields: [StructuredRecord.Field] = []
        skipSpace()
        if !take(UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                guard let name = string() else {
                    return nil
                }
                skipSpace()
                guard take(UInt8(ascii: ":")) else {
                    return nil
                }
                skipSpace()
                isLiteral = false
                guard let values = values() else {
                    return nil
                }
                var field = StructuredRecord.Field(name, values)
                field.isLiteral = isLiteral
                fields.append(field)
                skipSpace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else {
                return nil
            }
        }
        skipSpace()
        return offset == bytes.count ? fields : nil
    }

    // MARK: - Values

    private mutating func values() -> [[UInt8]]? {
        guard offset < bytes.count else {
            return nil
        }
        switch bytes[offset] {
        case UInt8(ascii: "\""):
            return string().map { [$0] }
        case UInt8(ascii: "["):
            let start = offset
            if let elements = elements(isNested: false) {
                return elements
            }
            offset = start
            isLiteral = true
            return text().map { [$0] }
        default:
            isLiteral = true
            return text().map { [$0] }
        }
    }

    /// The values that an array stands for: one of bytes, or several. nil when it is an array of something else.
    private mutating func elements(isNested: Bool) -> [[UInt8]]? {
        offset += 1
        skipSpace()
        if take(UInt8(ascii: "]")) {
            return [[]]
        }
        var binary: [UInt8] = []
        var several: [[UInt8]] = []
        repeat {
            skipSpace()
            guard offset < bytes.count else {
                return nil
            }
            switch bytes[offset] {
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
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")), several.isEmpty || binary.isEmpty else {
            return nil
        }
        hasBytes = hasBytes || several.isEmpty
        return several.isEmpty ? [binary] : several
    }

    /// The text of any value, which is skipped.
    private mutating func text() -> [UInt8]? {
        let start = offset
        var depth = 0
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                guard string() != nil else {
                    return nil
                }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 {
                    return offset > start ? Array(bytes[start..<offset]) : nil
                }
                depth -= 1
                if depth == 0 {
                    offset += 1
                    return Array(bytes[start..<offset])
                }
            case UInt8(ascii: ","), UInt8(ascii: " "):
                if depth == 0 {
                    return offset > start ? Array(bytes[start..<offset]) : nil
                }
            default:
                break
            }
            offset += 1
        }
        return nil
    }

    // MARK: - Strings

    /// The contents of a string; nil when it is malformed.
    private mutating func string() -> [UInt8]? {
        guard take(UInt8(ascii: "\"")) else {
            return nil
        }
        var value: [UInt8] = []
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                return value
            case UInt8(ascii: "\\"):
                guard appendEscape(to: &value) else {
                    return nil
                }
            default:
                value.append(byte)
            }
        }
        return nil
    }

    private mutating func appendEscape(to value: inout [UInt8]) -> Bool {
        guard offset < bytes.count else {
            return false
        }
        let letter = bytes[offset]
        offset += 1
        switch letter {
        case UInt8(ascii: "n"): value.append(0x0a)
        case UInt8(ascii: "t"): value.append(0x09)
        case UInt8(ascii: "r"): value.append(0x0d)
        case UInt8(ascii: "b"): value.append(0x08)
        case UInt8(ascii: "f"): value.append(0x0c)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): value.append(letter)
        case UInt8(ascii: "u"):
            guard let scalar = scalar() else {
                return false
            }
            value.append(contentsOf: String(scalar).utf8)
        default: return false
        }
        return true
    }

    /// The character of a `\u` escape, or of two that are a surrogate pair; U+FFFD for half of one.
    private mutating func scalar() -> Character? {
        guard let unit = unit() else {
            return nil
        }
        guard UTF16.isLeadSurrogate(unit), offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        else {
            return Character(Unicode.Scalar(unit) ?? "\u{fffd}")
        }
        let start = offset
        offset += 2
        guard let second = self.unit(), UTF16.isTrailSurrogate(second) else {
            offset = start
            return "\u{fffd}"
        }
        return String(decoding: [unit, second], as: UTF16.self).first
    }

    private mutating func unit() -> UInt16? {
        guard offset + 4 <= bytes.count else {
            return nil
        }
        let digits = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
        offset += 4
        return digits.hasPrefix("+") || digits.hasPrefix("-") ? nil : UInt16(digits, radix: 16)
    }

    // MARK: - Bytes

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[offset]) {
            offset += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else {
            return false
        }
        offset += 1
        return true
    }
}
