// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Texts of alarms by severity, written like the formats of printf: `%d` stands for a decimal number, `%s` for any text,
/// `%$` for the end of the line. The first three bytes are literal, and so is the one behind `%s`.
typealias AlarmFormats = KeyValuePairs<Severity, [StaticString]>

/// Formats with their severities. Where several match, the first in the table counts.
///
/// The first three bytes at each offset in a text lead to the few formats that may begin there, so the time is linear
/// in the text, and the number of formats hardly adds to it.
struct AlarmTable: Sendable {
    private struct Entry: Sendable {
        let format: StaticString
        let severity: Severity
        let number: Int
    }

    /// By their keys, then as listed.
    private let entries: [Entry]
    /// Where the entries of a key begin.
    private let starts: [UInt16]

    private static let keyBits: UInt32 = 11

    init(_ parts: AlarmFormats...) {
        var lists = [[Entry]](repeating: [], count: 1 << Self.keyBits)
        var number = 0
        for (severity, formats) in parts.joined() {
            for format in formats {
                let head = format.utf8Start
                assert((0..<3).allSatisfy { head[$0] != UInt8(ascii: "%") }, "\(format) has no three literal bytes")
                lists[Self.key(head[0], head[1], head[2])].append(
                    Entry(format: format, severity: severity, number: number)
                )
                number += 1
            }
        }
        entries = Array(lists.joined())
        var starts: [UInt16] = [0]
        for list in lists {
            starts.append(starts[starts.count - 1] + UInt16(list.count))
        }
        self.starts = starts
    }

    /// The severity of the format with which `text` begins.
    func severity(atStartOf text: UnsafeRawBufferPointer) -> Severity? {
        guard text.count > 2 else {
            return nil
        }
        return first(in: text, at: 0, before: .max)?.severity
    }

    /// The severity of the first listed format that `text` has anywhere.
    func severity(anywhereIn text: UnsafeRawBufferPointer) -> Severity? {
        guard text.count > 2 else {
            return nil
        }
        var found: Entry?
        for at in 0..<(text.count - 2) {
            if let entry = first(in: text, at: at, before: found?.number ?? .max) {
                found = entry
            }
        }
        return found?.severity
    }

    @inline(__always)
    private func first(in text: UnsafeRawBufferPointer, at offset: Int, before number: Int) -> Entry? {
        let key = Self.key(text[offset], text[offset + 1], text[offset + 2])
        for index in Int(starts[key])..<Int(starts[key + 1]) {
            guard entries[index].number < number else {
                return nil
            }
            if Self.matches(entries[index].format, text, at: offset) {
                return entries[index]
            }
        }
        return nil
    }

    /// A hash of three bytes.
    @inline(__always)
    private static func key(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Int {
        let bytes = UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16
        return Int(truncatingIfNeeded: (bytes &* 0x9e37_79b1) >> (32 - keyBits))
    }

    /// Whether `text` has `format` at `offset`. `%s` goes up to the first offset where what follows it, up to the next
    /// conversion, is.
    private static func matches(_ format: StaticString, _ text: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        let bytes = UnsafeRawBufferPointer(start: format.utf8Start, count: format.utf8CodeUnitCount)
        var (next, at) = (0, offset)
        while next < bytes.count {
            guard bytes[next] == UInt8(ascii: "%") else {
                guard at < text.count, text[at] == bytes[next] else {
                    return false
                }
                (next, at) = (next + 1, at + 1)
                continue
            }
            let conversion = bytes[next + 1]
            next += 2
            switch conversion {
            case UInt8(ascii: "d"):
                let start = at
                while at < text.count, (0x30...0x39).contains(text[at]) {
                    at += 1
                }
                guard at > start else {
                    return false
                }
            case UInt8(ascii: "s"):
                let rest = UnsafeRawBufferPointer(rebasing: bytes[next...])
                let literal = UnsafeRawBufferPointer(rebasing: rest.prefix { $0 != UInt8(ascii: "%") })
                guard let found = text.firstOffset(of: literal, from: at) else {
                    return false
                }
                (next, at) = (next + literal.count, found + literal.count)
            default:
                return isEnd(of: text, at: at)
            }
        }
        return true
    }

    /// Whether only blanks and a line's end follow.
    private static func isEnd(of text: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        text[offset...].allSatisfy { $0 <= 0x20 }
    }
}
