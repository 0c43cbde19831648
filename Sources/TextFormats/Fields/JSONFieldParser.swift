// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Parses an object in JSON into fields: strings are text, numbers and other values literals with their exact text.
public struct JSONFieldParser {
    private var scanner: JSONScanner
    private let base: Int
    private let separator: UInt8?
    private var names: JoinedNames

    /// Parses the object that begins at `start` in `line`, and adds its members as fields of `record`, whose buffer
    /// contains the line at `base`. With `separator`, members of objects inside become fields of their own, their names
    /// joined with it; otherwise such an object is one literal. Arrays are literals, and so is an object whose joined
    /// names would be much longer than its text.
    ///
    /// Returns the offset after the object. When it is malformed or cut off, the members before the fault are kept,
    /// what follows is kept in `GUESTLOG_UNPARSED`, and the end of the line is returned; nil when there is no object at
    /// all.
    public static func parse(
        _ line: UnsafeRawBufferPointer,
        from start: Int = 0,
        at base: Int,
        into record: inout RecordBuffer,
        flattenedWith separator: UInt8? = nil
    ) -> Int? {
        var parser = JSONFieldParser(
            scanner: JSONScanner(line, at: start),
            base: base,
            separator: separator,
            names: JoinedNames(at: start)
        )
        parser.scanner.skipSpace()
        guard parser.scanner.current == UInt8(ascii: "{") else {
            return nil
        }
        var safe = parser.scanner.offset
        guard parser.members(after: 0..<0, depth: 0, &safe, into: &record) else {
            record.mark(.malformedJSON, unparsed: line[safe...])
            return line.count
        }
        return parser.scanner.offset
    }

    /// The members of the object here; `prefix` is the range of the names before them in the buffer. `safe` follows the
    /// last complete member.
    private mutating func members(
        after prefix: Range<Int>,
        depth: Int,
        _ safe: inout Int,
        into record: inout RecordBuffer
    ) -> Bool {
        scanner.offset += 1
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "}")) {
            return true
        }
        repeat {
            scanner.skipSpace()
            let start = scanner.offset
            guard let isPlain = scanner.skipString() else {
                return false
            }
            var name = text(start, isPlain, into: &record)
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")) else {
                return false
            }
            scanner.skipSpace()
            if !prefix.isEmpty {
                guard names.add(prefix.count + 1, at: scanner.offset) else {
                    return false
                }
                let whole = Array(record[prefix]) + [separator ?? UInt8(ascii: ".")]
                name = record.store(whole, copyOf: name)
            }
            guard member(name, depth: depth, &safe, into: &record) else {
                return false
            }
            safe = scanner.offset
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        return scanner.take(UInt8(ascii: "}"))
    }

    private mutating func member(
        _ name: Range<Int>,
        depth: Int,
        _ safe: inout Int,
        into record: inout RecordBuffer
    ) -> Bool {
        let start = scanner.offset
        if separator != nil, scanner.current == UInt8(ascii: "{"), depth < JSONScanner.maximumDepth {
            var probe = scanner
            probe.offset += 1
            probe.skipSpace()
            if probe.current != UInt8(ascii: "}"), !names.areTooLong {
                let (before, count, end) = (scanner, record.fields.count, safe)
                if members(after: name, depth: depth + 1, &safe, into: &record) {
                    return true
                }
                guard names.areTooLong, depth == 0 else {
                    return false
                }
                (scanner, safe) = (before, end)
                record.fields.removeSubrange(count...)
            }
        }
        switch scanner.skipValue() {
        case nil:
            return false
        case .string(let isPlain)?:
            let value = text(start, isPlain, into: &record)
            record.fields.append(RecordBuffer.Field(name: name, value: value, form: isPlain ? .plain : .text))
        case .object?, .array?, .word?:
            let value = base + start..<base + scanner.offset
            record.fields.append(RecordBuffer.Field(name: name, value: value, form: .literal))
        }
        return true
    }

    /// The contents of the string that begins at `start` and ends here.
    private func text(_ start: Int, _ isPlain: Bool, into record: inout RecordBuffer) -> Range<Int> {
        let contents = start + 1..<scanner.offset - 1
        guard !isPlain, scanner.bytes[contents].contains(UInt8(ascii: "\\")) else {
            return base + contents.lowerBound..<base + contents.upperBound
        }
        return GoEscape.decode(UnsafeRawBufferPointer(rebasing: scanner.bytes[contents]), into: &record)
    }
}
