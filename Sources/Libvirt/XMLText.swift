// SPDX-License-Identifier: Apache-2.0

/// Escapes and references in XML (XML 1.0, fifth edition, sections 2.2, 2.4 and 4.1).
enum XMLText {
    /// Maximum size of a reference, from `&` to `;`: longer ones, with leading zeros, are refused.
    static let longestReference = 32

    /// Decodes `bytes`, which are UTF-8: resolves the five predefined entities and all character references. Any other
    /// entity is an error at its offset.
    static func resolve(_ bytes: ArraySlice<UInt8>) throws(DomainXMLError) -> String {
        var resolved: [UInt8] = []
        var rest = bytes
        while let ampersand = rest.firstIndex(of: UInt8(ascii: "&")) {
            guard
                let end = rest[ampersand...].prefix(longestReference).firstIndex(of: UInt8(ascii: ";")),
                let scalar = scalar(referredToAs: String(decoding: rest[(ampersand + 1)..<end], as: UTF8.self))
            else {
                throw .malformed(offset: ampersand, what: "'&' begins no known reference")
            }
            resolved += rest[..<ampersand]
            resolved += String(scalar).utf8
            rest = rest[(end + 1)...]
        }
        return String(decoding: resolved + rest, as: UTF8.self)
    }

    /// `text` for an attribute's value between two `quote`s.
    static func escape(_ text: String, quote: UInt8) -> [UInt8] {
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): escaped += "&amp;".utf8
            case UInt8(ascii: "<"): escaped += "&lt;".utf8
            case UInt8(ascii: ">"): escaped += "&gt;".utf8
            case quote: escaped += byte == UInt8(ascii: "'") ? "&apos;".utf8 : "&quot;".utf8
            default: escaped.append(byte)
            }
        }
        return escaped
    }

    /// Whether a document may contain that character, even by reference.
    static func allows(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0a, 0x0d: true
        case 0..<0x20, 0xfffe, 0xffff: false
        default: true
        }
    }

    private static func scalar(referredToAs name: String) -> Unicode.Scalar? {
        switch name {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        case _ where name.hasPrefix("#x"): scalar(numbered: name.dropFirst(2), radix: 16)
        case _ where name.hasPrefix("#"): scalar(numbered: name.dropFirst(1), radix: 10)
        default: nil
        }
    }

    private static func scalar(numbered digits: Substring, radix: Int) -> Unicode.Scalar? {
        // Swift would accept a sign, too.
        guard digits.first?.isHexDigit == true, let scalar = UInt32(digits, radix: radix).flatMap(Unicode.Scalar.init)
        else {
            return nil
        }
        return allows(scalar) ? scalar : nil
    }
}
