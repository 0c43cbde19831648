// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Parses logfmt, `key=value key="quoted value"`: everything that go-logfmt, kr/logfmt and Fluent Bit accept, and what
/// Go programs write with `%q`.
///
/// - Any byte up to 0x20 separates pairs. A key is bytes above 0x20 except `=` and `"`.
/// - A bare value ends at the next separator; `=` and `"` inside belong to it. `key=` is an empty value, a key alone is
///   `true`.
/// - A quoted value has the escapes of JSON and Go (`GoEscape`).
/// - Bare integers of up to 18 digits, and `true` and `false`, are literals; everything else is text.
/// - What is no pair is skipped to the next one, and kept in `GUESTLOG_UNPARSED`; nothing is dropped.
///
/// A quote that is not closed, or that a later key's quote seems to close, ends before the next ` key=`. What follows is
/// untrusted: it may be a part of the quoted text, and so may a record that begins there (`RecordBuffer.hasOpenQuote`).
public struct LogfmtParser {
    private let line: UnsafeRawBufferPointer
    /// Where the line's bytes are in the record's buffer.
    private let base: Int
    private var offset: Int
    private var isMarked = false
    /// The number of fields when the first quote without an end was found: the later ones may be from inside of it.
    private var trustedCount: Int?

    /// Parses the pairs of `line` from `start` on, and adds them as fields of `record`, whose buffer contains the line
    /// at `base`. With `stopKey`, it ends before a second occurrence of that key, where another record begins. Returns
    /// the offset where it ended.
    public static func parse(
        _ line: UnsafeRawBufferPointer,
        from start: Int = 0,
        at base: Int,
        into record: inout RecordBuffer,
        stopKey: StaticString? = nil
    ) -> Int {
        var parser = LogfmtParser(line: line, base: base, offset: start)
        parser.parse(into: &record, stopKey)
        if let first = parser.trustedCount {
            record.distrust(from: first)
        }
        return parser.offset
    }

    private mutating func parse(into record: inout RecordBuffer, _ stopKey: StaticString?) {
        var hasStopKey = false
        while true {
            while offset < line.count, line[offset] <= 0x20 {
                offset += 1
            }
            guard offset < line.count else {
                return
            }
            let start = offset
            while offset < line.count, line[offset] > 0x20, line[offset] != UInt8(ascii: "="),
                line[offset] != UInt8(ascii: "\"")
            {
                offset += 1
            }
            let name = start..<offset
            guard offset > start, offset == line.count || line[offset] != UInt8(ascii: "\"") else {
                offset = start
                skipJunk(into: &record)
                continue
            }
            guard offset < line.count, line[offset] == UInt8(ascii: "=") else {
                let value = record.store("true".utf8)
                record.fields.append(RecordBuffer.Field(name: shifted(name), value: value, form: .literal))
                continue
            }
            if let stopKey, isWord(name, stopKey) {
                if hasStopKey {
                    offset = start
                    return
                }
                hasStopKey = true
            }
            offset += 1
            if offset < line.count, line[offset] == UInt8(ascii: "\"") {
                quoted(name, into: &record)
            } else {
                bare(name, into: &record)
            }
        }
    }

    private func shifted(_ range: Range<Int>) -> Range<Int> {
        base + range.lowerBound..<base + range.upperBound
    }

    private func isWord(_ range: Range<Int>, _ word: StaticString) -> Bool {
        range.count == word.utf8CodeUnitCount
            && line[range].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    // MARK: - Values

    private mutating func bare(_ name: Range<Int>, into record: inout RecordBuffer) {
        let start = offset
        offset = Self.wordEnd(line, from: offset)
        let value = start..<offset
        let form: RecordBuffer.Form = Self.isLiteral(line, value) ? .literal : .text
        record.fields.append(RecordBuffer.Field(name: shifted(name), value: shifted(value), form: form))
    }

    /// The end of the run of bytes above 0x20 that begins at `start`, eight bytes at a time.
    private static func wordEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var offset = start
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let stops = (word &- 0x21 &* ones) & ~word & (0x80 &* ones)
            if stops != 0 {
                return offset + stops.trailingZeroBitCount / 8
            }
            offset += 8
        }
        while offset < bytes.count, bytes[offset] > 0x20 {
            offset += 1
        }
        return offset
    }

    /// Whether a bare value is an integer whose text is also JSON, or a truth value.
    private static func isLiteral(_ line: UnsafeRawBufferPointer, _ value: Range<Int>) -> Bool {
        guard let first = value.first.map({ line[$0] }) else {
            return false
        }
        if first == UInt8(ascii: "t") || first == UInt8(ascii: "f") {
            return line[value].elementsEqual("true".utf8) || line[value].elementsEqual("false".utf8)
        }
        let digits = first == UInt8(ascii: "-") ? value.dropFirst() : value
        guard (1...18).contains(digits.count), line[digits.lowerBound] != UInt8(ascii: "0") || value.count == 1 else {
            return false
        }
        return digits.allSatisfy { line[$0] &- UInt8(ascii: "0") <= 9 }
    }

    /// A quoted value; `offset` is its quote.
    private mutating func quoted(_ name: Range<Int>, into record: inout RecordBuffer) {
        let start = offset + 1
        var end = PlainText.end(in: line, from: start, orAt: UInt8(ascii: "\""))
        var isPlain = true
        while end < line.count, line[end] != UInt8(ascii: "\"") {
            isPlain = false
            end = PlainText.end(
                in: line,
                from: end + (line[end] == UInt8(ascii: "\\") ? 2 : 1),
                orAt: UInt8(ascii: "\"")
            )
        }
        end = min(end, line.count)
        offset = min(end + 1, line.count)
        let isClosed = end < line.count
        if !isClosed || (offset < line.count && line[offset] > 0x20 && line[end - 1] == UInt8(ascii: "=")) {
            // Without its own end the value extends to where the next key is, or to the end of the line.
            isPlain = false
            end = lostEnd(from: start) ?? line.count
            offset = end
            mark(.openQuote, in: &record)
            trustedCount = trustedCount ?? record.fields.count
            record.hasOpenQuote = true
        }
        guard !isPlain else {
            record.fields.append(RecordBuffer.Field(name: shifted(name), value: shifted(start..<end), form: .plain))
            return
        }
        let value = UnsafeRawBufferPointer(rebasing: line[start..<end])
        let range =
            value.contains(UInt8(ascii: "\\")) ? GoEscape.decode(value, into: &record) : shifted(start..<end)
        record.fields.append(RecordBuffer.Field(name: shifted(name), value: range, form: .text))
    }

    /// Where a value whose closing quote is lost ends: before the first ` key=` after `start`.
    private func lostEnd(from start: Int) -> Int? {
        var end = start
        while end < line.count {
            guard line[end] == 0x20 else {
                end += 1
                continue
            }
            if keyEnd(from: end + 1) != nil {
                return end
            }
            end += 1
        }
        return nil
    }

    /// The end of a key of letters, digits, `_`, `.` and `-` with `=` behind it.
    private func keyEnd(from start: Int) -> Int? {
        var end = start
        while end < line.count, Self.isKeyByte(line[end]) {
            end += 1
        }
        return end > start && end < line.count && line[end] == UInt8(ascii: "=") ? end : nil
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    // MARK: - What is no pair

    /// Skips to the next ` key=`, and keeps what is before it.
    private mutating func skipJunk(into record: inout RecordBuffer) {
        let end = lostEnd(from: offset) ?? line.count
        mark(.noPair, in: &record)
        record.append(ParseFault.unparsedName, line[offset..<end])
        offset = end
    }

    private mutating func mark(_ fault: ParseFault, in record: inout RecordBuffer) {
        if !isMarked {
            record.mark(fault, unparsed: EmptyCollection())
            isMarked = true
        }
    }
}
