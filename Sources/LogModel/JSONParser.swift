// SPDX-License-Identifier: Apache-2.0

/// Parses JSON text (RFC 8259) to values.
struct JSONParser {
    let bytes: [UInt8]
    var offset = 0
    static let maximumDepth = 64

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(JSONError) -> JSON {
        let value = try self.value(depth: 0)
        skipSpace()
        guard offset == bytes.count else {
            throw failure("something follows the value")
        }
        return value
    }

    private func failure(_ reason: String) -> JSONError {
        JSONError(reason: reason, offset: offset)
    }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            offset += 1
        }
    }

    private mutating func take(_ word: String) -> Bool {
        guard bytes[offset...].starts(with: word.utf8) else {
            return false
        }
        offset += word.utf8.count
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipSpace()
        guard depth <= Self.maximumDepth else {
            throw failure("nested deeper than \(Self.maximumDepth)")
        }
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t") where take("true"): return .bool(true)
        case UInt8(ascii: "f") where take("false"): return .bool(false)
        case UInt8(ascii: "n") where take("null"): return .null
        case nil: throw failure("the text ends where a value was expected")
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        offset += 1
        var members: [(String, JSON)] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            offset += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else {
                throw failure("a member's name was expected")
            }
            let name = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else {
                throw failure("':' was expected")
            }
            offset += 1
            members.append((name, try value(depth: depth + 1)))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                offset += 1
                return .object(members)
            default: throw failure("',' or '}' was expected")
            }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        offset += 1
        var elements: [JSON] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            offset += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return .array(elements)
            default: throw failure("',' or ']' was expected")
            }
        }
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = offset
        while let byte = current, byte.isDecimalDigit || "+-.eE".utf8.contains(byte) {
            offset += 1
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        // Swift accepts more than JSON: a plus, a point without digits on both sides, leading zeros.
        let digits = text.drop { $0 == "-" }.prefix { $0.isNumber }
        let fraction = text.drop { $0 != "." }.dropFirst()
        let isAllowed =
            !digits.isEmpty && (digits == "0" || !digits.hasPrefix("0"))
            && (!text.contains(".") || fraction.first?.isNumber == true)
        if isAllowed, let integer = Int64(text) {
            return .integer(integer)
        }
        guard isAllowed, let number = Double(text), number.isFinite else {
            offset = start
            throw failure("no value begins like this")
        }
        return .number(number)
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = current {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw failure("a control character inside a string")
            default:
                text.append(byte)
            }
        }
        throw failure("a string has no end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = current else {
            throw failure("a string has no end")
        }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = try hexQuad()
            let second = offset
            if (0xd800..<0xdc00).contains(code), take(#"\u"#) {
                let low = try hexQuad()
                if (0xdc00..<0xe000).contains(low) {
                    code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
                } else {
                    offset = second
                }
            }
            // Half of a surrogate pair is replaced by U+FFFD.
            let scalar = Unicode.Scalar(code) ?? "\u{fffd}"
            text.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        default:
            throw failure("an unknown escape")
        }
    }

    private mutating func hexQuad() throws(JSONError) -> UInt32 {
        guard offset + 4 <= bytes.count else {
            throw failure("four hexadecimal digits were expected")
        }
        var code: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            guard let digit = byte.hexadecimalValue else {
                throw failure("four hexadecimal digits were expected")
            }
            code = code << 4 | UInt32(digit)
        }
        offset += 4
        return code
    }
}
