// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityWords {
    /// The level that stands behind a program's time, `2026-01-01T00:00:00Z ERROR …`, in the same brackets as it, or behind
    /// a few fields: a process, a thread, a logger. Threads need no time: `[main] FATAL …`. The level is in capitals, or a
    /// tag.
    static func ofTimed(_ start: ConsoleLine) -> Severity? {
        guard let first = start.current, first == UInt8(ascii: "[") || start.mayBeginTime else {
            return nil
        }
        var line = start
        if line.take("["), line.takeTime() {
            // Celery's.
            _ = line.take(":")
            if line.takeSpaces() {
                return ofCapitals(line)
            }
        }
        line = start
        guard line.takeProgramTime() || first == UInt8(ascii: "[") else {
            return nil
        }
        let isLogcat = first.isDecimalDigit && start.isAtLogcatTime
        for field in 0..<6 {
            if let severity = ofLevelTag(line) ?? ofAngleTag(line) ?? ofCapitals(line) ?? ofFile(line) ?? ofParts(line)
                ?? ofSeparatedWord(line) ?? ofSeparatedLetter(line) ?? (isLogcat && field > 0 ? ofLogcat(line) : nil)
            {
                return severity
            }
            guard line.takeField() else {
                return nil
            }
        }
        return nil
    }

    /// A level in capitals, or its usual abbreviation.
    private static func ofCapitals(_ line: ConsoleLine) -> Severity? {
        let text = line.rest
        let word = leadingWord(of: text)
        guard word.count > 2, isCapital(word), word.count < text.count, " \t:]|-/".utf8.contains(text[word.count])
        else {
            return nil
        }
        return ofLevel(word)
    }

    /// `util.py[WARNING]: …`, of cloud-init.
    private static func ofFile(_ start: ConsoleLine) -> Severity? {
        var line = start
        while let byte = line.current, ConsoleLine.isNameByte(byte) {
            line.advance()
        }
        return line.offset > start.offset ? ofLevelTag(line) : nil
    }

    /// `[core:error]` and `[instance:main:ERROR:src/main.rs:1]`: a level between colons.
    private static func ofParts(_ start: ConsoleLine) -> Severity? {
        var line = start
        guard line.take("[") else {
            return nil
        }
        while let byte = line.current, byte != UInt8(ascii: "]"), line.offset - start.offset < ConsoleLine.longestField
        {
            line.advance()
            guard byte == UInt8(ascii: ":") else {
                continue
            }
            let word = leadingWord(of: line.rest)
            let next = word.count < line.rest.count ? line.rest[word.count] : 0
            if next == UInt8(ascii: "]") || (next == UInt8(ascii: ":") && isCapital(word)),
                let severity = severity(of: word, in: levels)
            {
                return severity
            }
        }
        return nil
    }

    /// libvirt's `error : virFoo:12 : …`, and zap's, between tabs.
    private static func ofSeparatedWord(_ line: ConsoleLine) -> Severity? {
        let word = leadingWord(of: line.rest)
        let rest = line.rest.dropFirst(word.count)
        return rest.first == Byte.tab || rest.starts(with: " : ".utf8) ? severity(of: word, in: levels) : nil
    }

    /// Telegraf's `E! …`, and MongoDB's `E  NETWORK  …`.
    private static func ofSeparatedLetter(_ start: ConsoleLine) -> Severity? {
        guard let severity = start.current.flatMap(ofLetter) else {
            return nil
        }
        var line = start
        line.advance()
        if line.take("! ") {
            return severity
        }
        guard line.takeSpaces() else {
            return nil
        }
        let word = leadingWord(of: line.rest)
        return word.count > 2 && isCapital(word) ? severity : nil
    }

    /// `E AndroidRuntime: …`.
    private static func ofLogcat(_ line: ConsoleLine) -> Severity? {
        line.rest.count > 2 && line.rest[1] == UInt8(ascii: " ") ? ofLetter(line.rest[0]) : nil
    }

    /// The level that logcat and others write as one letter.
    static func ofLetter(_ letter: UInt8) -> Severity? {
        switch letter {
        case UInt8(ascii: "V"), UInt8(ascii: "D"): .debug
        case UInt8(ascii: "I"): .informational
        case UInt8(ascii: "W"): .warning
        case UInt8(ascii: "E"): .error
        case UInt8(ascii: "F"): .critical
        default: nil
        }
    }

    /// The level that begins a line as one letter: klog's and glog's before the date, `E0329 12:00:00.123456 1 x.go:1] `;
    /// Ruby's, `E, [2026-01-01T00:00:00 #7] `; logcat's, `E/Tag(  7): `; apt's, `E: `.
    static func ofLetter(_ start: ConsoleLine) -> Severity? {
        guard let first = start.current, let severity = ofLetter(first) else {
            return nil
        }
        var line = start
        line.advance()
        switch line.current ?? 0 {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard [4, 8].contains(line.takeDigits(8)), line.take(" "), line.takeClock(), line.takeSpaces(),
                line.takeDigits(10) > 0, line.take(" ")
            else {
                return nil
            }
            return severity
        case UInt8(ascii: ","):
            return line.take(", [") && line.takeTime() ? severity : nil
        case UInt8(ascii: "/"):
            line.advance()
            while let byte = line.current, ConsoleLine.isNameByte(byte) {
                line.advance()
            }
            guard line.take("(") else {
                return nil
            }
            _ = line.takeSpaces()
            return line.takeDigits(10) > 0 && line.take("): ") ? severity : nil
        case UInt8(ascii: ":"):
            // apt has only these.
            return "EW".utf8.contains(first) && line.take(": ") && line.current.map { $0 > 0x40 } ?? false
                ? severity : nil
        default:
            return nil
        }
    }
}

extension ConsoleLine {
    /// The most bytes that a field before a level has.
    static let longestField = 64

    /// Whether a month, a day and a time are here: `01-31 12:00:00`.
    fileprivate var isAtLogcatTime: Bool {
        var line = self
        return line.takeDigits(2) == 2 && line.take("-") && line.takeDigits(2) == 2 && line.take(" ")
            && line.takeClock()
    }

    /// Skips what may stand between a time and a level, and the blanks after it: text in brackets, a number, `-` or `|`, a
    /// logger's name before these, a user and database, a pair; false when something else is here.
    fileprivate mutating func takeField() -> Bool {
        var line = self
        switch current {
        case UInt8(ascii: "["): line.skip(to: UInt8(ascii: "]"))
        case UInt8(ascii: "<"): line.skip(to: UInt8(ascii: ">"))
        case UInt8(ascii: "{"): line.skip(to: UInt8(ascii: "}"))
        case UInt8(ascii: "("): line.skip(to: UInt8(ascii: ")"))
        case UInt8(ascii: "-"), UInt8(ascii: "|"): line.advance()
        default:
            if line.takeDigits(10) > 0 {
                _ = line.take(":")
                break
            }
            var isMarked = false
            while let byte = line.current, byte > 0x20, line.offset - offset < Self.longestField {
                isMarked =
                    isMarked || byte == UInt8(ascii: "@") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "|")
                line.advance()
            }
            let end = line
            _ = line.takeSpaces()
            if line.take("- ") || line.take("| ") {
                self = line
                return true
            }
            guard isMarked else {
                return false
            }
            line = end
        }
        guard line.takeSpaces() || line.current == UInt8(ascii: "[") else {
            return false
        }
        self = line
        return true
    }

    private mutating func skip(to end: UInt8) {
        let start = offset
        while let byte = current, offset - start < Self.longestField {
            advance()
            if byte == end {
                return
            }
        }
    }
}
