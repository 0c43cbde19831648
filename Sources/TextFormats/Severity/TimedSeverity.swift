// SPDX-License-Identifier: Apache-2.0

import LogModel

extension ConsoleLine {
    /// Skips a program's date and time, its time alone, or its milliseconds before a bracket, with the blanks after it;
    /// false when there is none. A bracket may enclose it.
    mutating func takeProgramTime() -> Bool {
        var line = self
        let isBracketed = line.take("[")
        if !line.takeDateAndTime() {
            line = self
            guard line.takeMilliseconds() else {
                return false
            }
        }
        guard !isBracketed || line.take("]"), line.takeSpaces() else {
            return false
        }
        self = line
        return true
    }

    private mutating func takeDateAndTime() -> Bool {
        let start = self
        if takeDigits(4) == 4 {
            guard take("-"), takeDigits(2) == 2, take("-"), takeDigits(2) == 2, take("T") || take(" ") else {
                return false
            }
        } else {
            self = start
        }
        guard takeClock() else {
            return false
        }
        if !take("Z"), take("+") || take("-") {
            guard takeDigits(2) == 2 else {
                return false
            }
            _ = take(":")
            return takeDigits(2) == 2
        }
        return true
    }

    /// Skips hours, minutes and seconds, with a fraction too.
    mutating func takeClock() -> Bool {
        guard takeDigits(2) == 2, take(":"), takeDigits(2) == 2, take(":"), takeDigits(2) == 2 else {
            return false
        }
        return !(take(".") || take(",")) || takeDigits(9) > 0
    }

    private mutating func takeMilliseconds() -> Bool {
        takeDigits(10) > 0 && begins(with: " [")
    }

    /// Skips at most `most` digits, and returns their number.
    mutating func takeDigits(_ most: Int) -> Int {
        var count = 0
        while count < most, let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            advance()
            count += 1
        }
        return count
    }

    /// Skips the blanks here; false when there are none.
    mutating func takeSpaces() -> Bool {
        let start = at
        while current == UInt8(ascii: " ") || current == Byte.tab {
            advance()
        }
        return at > start
    }

    /// Skips `[…] `, of at most 64 bytes; false when there is none.
    mutating func takeBracket() -> Bool {
        var line = self
        guard line.take("[") else {
            return false
        }
        while let byte = line.current, line.at - at < 64 {
            line.advance()
            if byte == UInt8(ascii: "]") {
                guard line.takeSpaces() else {
                    return false
                }
                self = line
                return true
            }
        }
        return false
    }
}

extension SeverityWords {
    /// The level that stands behind a program's time: `2026-01-01T00:00:00Z ERROR …`, also behind a process or thread, or
    /// these alone: `12:00:00,123 [main] FATAL …`. The level is in capitals, or a tag.
    static func ofTimed(_ start: ConsoleLine) -> Severity? {
        var line = start
        let isBracketed = line.current == UInt8(ascii: "[")
        guard let first = line.current, isBracketed || (0x30...0x39).contains(first),
            line.takeProgramTime() || isBracketed
        else {
            return nil
        }
        var process = line
        if process.takeDigits(10) > 0, process.takeSpaces() {
            line = process
        }
        for _ in 0..<3 {
            if let severity = ofTag(line) ?? ofWord(atStartOf: line.rest) {
                return severity
            }
            guard line.takeBracket() else {
                return nil
            }
        }
        return nil
    }

    /// The level of klog and glog, the letter before the date: `E0329 12:00:00.123456 1 x.go:1] msg`.
    static func ofLetter(_ start: ConsoleLine) -> Severity? {
        let severity: Severity
        switch start.current {
        case UInt8(ascii: "I"): severity = .informational
        case UInt8(ascii: "W"): severity = .warning
        case UInt8(ascii: "E"): severity = .error
        case UInt8(ascii: "F"): severity = .critical
        default: return nil
        }
        var line = start
        line.advance()
        guard line.takeDigits(4) == 4, line.take(" "), line.takeDigits(2) == 2, line.take(":"),
            line.takeDigits(2) == 2, line.take(":"), line.takeDigits(2) == 2, line.take("."),
            line.takeDigits(9) > 0, line.takeSpaces(), line.takeDigits(10) > 0, line.take(" ")
        else {
            return nil
        }
        return severity
    }

    /// The result at the end of a line, of sysvinit, `[FAILED]`, and OpenRC, `[ !! ]`; nil when there is none, and when it
    /// is not a failure.
    static func ofResult(in text: UnsafeRawBufferPointer) -> Severity? {
        var end = text.count
        while end > 0, [UInt8(ascii: " "), Byte.feed, Byte.carriageReturn, UInt8(ascii: "m")].contains(text[end - 1]) {
            guard text[end - 1] == UInt8(ascii: "m") else {
                end -= 1
                continue
            }
            guard let escape = text[max(0, end - 16)..<end].lastIndex(of: Byte.escape),
                case .sequence(let sequence) = ControlSequence.parse(text, at: escape), sequence.end == end
            else {
                return nil
            }
            end = escape
        }
        guard end > 0, text[end - 1] == UInt8(ascii: "]") else {
            return nil
        }
        var start = end - 1
        repeat {
            guard let bracket = text[max(0, end - 64)..<start].lastIndex(of: UInt8(ascii: "[")), bracket > 0 else {
                return nil
            }
            start = bracket
        } while text[start - 1] == Byte.escape
        // A blank or a sequence is before it.
        guard [UInt8(ascii: " "), Byte.tab, UInt8(ascii: "G"), UInt8(ascii: "m")].contains(text[start - 1]) else {
            return nil
        }
        var line = ConsoleLine(UnsafeRawBufferPointer(rebasing: text[start..<end]))
        _ = line.take("[")
        skipPadding(&line)
        guard line.take("FAILED") || line.take("!!") else {
            return nil
        }
        skipPadding(&line)
        return line.begins(with: "]") && line.rest.count == 1 ? .error : nil
    }
}
