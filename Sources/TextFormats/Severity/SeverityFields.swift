// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityWords {
    /// The level in a field of JSON or logfmt: `"severity": "ERROR"`, `level=error`, `lvl="warn"`. Text in quotation marks,
    /// which is another field's value, has no fields.
    static func ofField(in text: UnsafeRawBufferPointer) -> Severity? {
        var start = 0
        skipSpaces(in: text, &start)
        var name = start + 1
        skipSpaces(in: text, &name)
        guard name < text.count, text[start] == UInt8(ascii: "{"), text[name] == UInt8(ascii: "\"") else {
            return ofPair(in: text)
        }
        return ofMember(in: text, from: start)
    }

    // MARK: - JSON

    /// The level in a member of the object that begins at `start`; in one of the objects inside, if it has none.
    private static func ofMember(in text: UnsafeRawBufferPointer, from start: Int) -> Severity? {
        var (at, depth) = (start, 0)
        var nested: Severity?
        while at < text.count {
            let byte = text[at]
            at += 1
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            case UInt8(ascii: "\""):
                let name = at..<closingMark(in: text, from: at)
                at = min(name.upperBound + 1, text.count)
                var value = at
                skipSpaces(in: text, &value)
                guard value < text.count, text[value] == UInt8(ascii: ":"), isLevelName(text, name) else {
                    continue
                }
                value += 1
                skipSpaces(in: text, &value)
                guard value < text.count, text[value] == UInt8(ascii: "\""),
                    let severity = ofValue(in: text, from: value + 1)
                else {
                    continue
                }
                if depth <= 1 {
                    return severity
                }
                nested = nested ?? severity
            default:
                break
            }
        }
        return nested
    }

    private static func skipSpaces(in text: UnsafeRawBufferPointer, _ at: inout Int) {
        while at < text.count, text[at] == UInt8(ascii: " ") {
            at += 1
        }
    }

    /// The place of the quotation mark that ends the text that begins at `start`, or the end.
    private static func closingMark(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at < text.count, text[at] != UInt8(ascii: "\"") {
            at += text[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(at, text.count)
    }

    // MARK: - logfmt

    private static func ofPair(in text: UnsafeRawBufferPointer) -> Severity? {
        var at = 0
        while let place = text.firstOffset(of: UInt8(ascii: "="), from: at) {
            at = place + 1
            var name = place
            while name > 0, place - name <= longestLevelName, !" \t,{".utf8.contains(text[name - 1]) {
                name -= 1
            }
            let isQuoted = at < text.count && text[at] == UInt8(ascii: "\"")
            if isLevelName(text, name..<place), let severity = ofValue(in: text, from: isQuoted ? at + 1 : at) {
                return severity
            }
            if isQuoted {
                at = closingMark(in: text, from: at + 1)
            }
        }
        return nil
    }

    // MARK: - Names and values

    private static func ofValue(in text: UnsafeRawBufferPointer, from start: Int) -> Severity? {
        severity(of: leadingWord(of: UnsafeRawBufferPointer(rebasing: text[start...])), in: levels)
    }

    private static func isLevelName(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        let name = UnsafeRawBufferPointer(rebasing: text[range])
        return (3...longestLevelName).contains(name.count) && levelNames.contains { isEqual(name, $0) }
    }

    private static let longestLevelName = 8

    private static let levelNames: [StaticString] = ["level", "lvl", "severity", "loglevel"]
}
