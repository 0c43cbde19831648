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
        var (offset, depth) = (start, 0)
        var nested: Severity?
        while offset < text.count {
            let byte = text[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            case UInt8(ascii: "\""):
                let name = offset..<closingMark(in: text, from: offset)
                offset = min(name.upperBound + 1, text.count)
                var value = offset
                skipSpaces(in: text, &value)
                guard value < text.count, text[value] == UInt8(ascii: ":") else {
                    continue
                }
                value += 1
                skipSpaces(in: text, &value)
                guard let severity = ofMember(text, name, valueAt: value) else {
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

    private static func ofMember(_ text: UnsafeRawBufferPointer, _ name: Range<Int>, valueAt offset: Int) -> Severity? {
        guard offset < text.count else {
            return nil
        }
        let isText = text[offset] == UInt8(ascii: "\"")
        let value = isText ? offset + 1 : offset
        if isLevelName(text, name) {
            return isText ? ofValue(in: text, from: value) : ofBunyan(text, value)
        }
        let name = UnsafeRawBufferPointer(rebasing: text[name])
        if isEqual(name, "priority") {
            // Of the journal: syslog's number.
            let digit = value < text.count ? text[value] : 0
            return (0x30...0x37).contains(digit) ? Severity(rawValue: digit - 0x30) : nil
        }
        // Of MongoDB: a letter, D with a digit.
        return isText && isEqual(name, "s") && value + 1 < text.count && text[value + 1] == UInt8(ascii: "\"")
            ? ofLetter(text[value]) : nil
    }

    /// The level of Bunyan and Pino, as a number: 10 for TRACE to 60 for FATAL. They write the time before the message.
    private static func ofBunyan(_ text: UnsafeRawBufferPointer, _ offset: Int) -> Severity? {
        guard offset + 2 < text.count, text[offset + 1] == UInt8(ascii: "0"), ",}".utf8.contains(text[offset + 2]),
            text.firstOffset(of: "\"time\":") != nil
        else {
            return nil
        }
        switch text[offset] {
        case UInt8(ascii: "1"), UInt8(ascii: "2"): return .debug
        case UInt8(ascii: "3"): return .informational
        case UInt8(ascii: "4"): return .warning
        case UInt8(ascii: "5"): return .error
        case UInt8(ascii: "6"): return .critical
        default: return nil
        }
    }

    private static func skipSpaces(in text: UnsafeRawBufferPointer, _ offset: inout Int) {
        while offset < text.count, text[offset] == UInt8(ascii: " ") {
            offset += 1
        }
    }

    /// The offset of the quotation mark that ends the text that begins at `start`, or the end.
    private static func closingMark(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while offset < text.count, text[offset] != UInt8(ascii: "\"") {
            offset += text[offset] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(offset, text.count)
    }

    // MARK: - logfmt

    private static func ofPair(in text: UnsafeRawBufferPointer) -> Severity? {
        var offset = 0
        while let separator = text.firstOffset(of: UInt8(ascii: "="), from: offset) {
            offset = separator + 1
            var name = separator
            while name > 0, separator - name <= longestLevelName, !separatesFields(text[name - 1]) {
                name -= 1
            }
            let isQuoted = offset < text.count && text[offset] == UInt8(ascii: "\"")
            let value = isQuoted ? offset + 1 : offset
            if isLevelName(text, name..<separator), let severity = ofValue(in: text, from: value) {
                return severity
            }
            if isQuoted {
                offset = closingMark(in: text, from: offset + 1)
            }
        }
        return nil
    }

    private static func separatesFields(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), Byte.tab, UInt8(ascii: ","), UInt8(ascii: "{"): true
        default: false
        }
    }

    // MARK: - Names and values

    private static func ofValue(in text: UnsafeRawBufferPointer, from start: Int) -> Severity? {
        ofLevel(leadingWord(of: UnsafeRawBufferPointer(rebasing: text[start...])))
    }

    private static func isLevelName(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        let name = UnsafeRawBufferPointer(rebasing: text[range])
        return (2...longestLevelName).contains(name.count) && levelNames.contains { isEqual(name, $0) }
    }

    private static let longestLevelName = 13

    /// Also of Python, ECS, hclog, Monolog, OpenTelemetry and Serilog.
    private static let levelNames: [StaticString] = [
        "level", "lvl", "severity", "loglevel", "levelname", "log.level", "log_level", "level_name", "@level", "@l",
        "severitytext", "severity_text",
    ]
}
