// SPDX-License-Identifier: Apache-2.0

import LogModel

extension ConsoleLine {
    /// Whether a time may be here, by its first bytes: a digit, or a day's or month's name of three letters. Other lines are
    /// most, and need no look at all the forms of times.
    var mayBeginTime: Bool {
        guard let first = current else {
            return false
        }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return true
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return rest.count > 3 && rest[3] == UInt8(ascii: " ")
        default: return false
        }
    }

    /// Skips a program's date and time, its time alone, or its milliseconds before a bracket, with the blanks after it;
    /// false when there is none. A bracket may enclose it.
    mutating func takeProgramTime() -> Bool {
        var line = self
        let isBracketed = line.take("[")
        guard line.takeTime(), !isBracketed || line.take("]") else {
            return false
        }
        // libvirt's.
        _ = line.take(":")
        guard line.takeSpaces() || (isBracketed && line.current == UInt8(ascii: "[")) else {
            return false
        }
        self = line
        return true
    }

    /// Skips a date and time, a time alone, or milliseconds before a bracket.
    mutating func takeTime() -> Bool {
        var line = self
        if line.takeDate(), line.takeClock() || line.takeShortClock() {
            // ctime's year.
            var year = line
            if year.take(" "), year.takeDigits(4) == 4,
                year.current.map({ $0 == UInt8(ascii: "]") || $0 <= 0x20 }) ?? true
            {
                line = year
            }
            line.takeZone()
            self = line
            return true
        }
        line = self
        if line.takeDigits(10) > 0 {
            let hasFraction = line.take(".") && line.takeDigits(9) > 0
            // Seconds since the start, `12.345678s`; or since 1970, or milliseconds, before a bracket.
            if hasFraction ? line.take("s") || line.begins(with: "]") : line.begins(with: " [") {
                self = line
                return true
            }
        }
        return false
    }

    /// Skips a date in the order of ISO 8601, of logcat (month and day), of PHP and BIND, of the USA, or of ctime, with what
    /// separates it from the time. No date is one too.
    private mutating func takeDate() -> Bool {
        guard let first = current else {
            return false
        }
        var line = self
        if (0x41...0x5a).contains(first) {
            var month = line
            if month.takeName(), month.take(" ") {
                // That was a day's name, if another name or a date follows.
                line = month
                if month.takeName(), month.take(" ") {
                    line = month
                }
            }
            guard line.offset > offset else {
                return false
            }
            _ = line.take(" ")
        }
        let start = line
        switch line.takeDigits(4) {
        case 4 where line.takeSeparator() && line.takeDigits(2) == 2 && line.takeSeparator() && line.takeDigits(2) == 2:
            guard line.take("T") || line.take(" ") else {
                return false
            }
        case 2 where line.take("-"):
            if line.takeName() {
                guard line.take("-"), line.takeDigits(4) == 4 else {
                    return false
                }
            } else if line.takeDigits(2) != 2 {
                return false
            }
            guard line.take(" ") else {
                return false
            }
        case 2 where line.take("/"):
            guard line.takeDigits(2) == 2, line.take("/"), line.takeDigits(4) == 4, line.take(" ") else {
                return false
            }
        case 1...2 where start.offset > offset && line.take(" "):
            break
        default:
            line = start
        }
        self = line
        return true
    }

    private mutating func takeSeparator() -> Bool {
        take("-") || take("/") || take(".")
    }

    /// Skips hours, minutes and seconds, with a fraction too.
    mutating func takeClock() -> Bool {
        var line = self
        guard line.takeDigits(2) == 2, line.take(":"), line.takeDigits(2) == 2, line.take(":"), line.takeDigits(2) == 2
        else {
            return false
        }
        guard !(line.take(".") || line.take(",")) || line.takeDigits(9) > 0 else {
            return false
        }
        self = line
        return true
    }

    /// Skips `10:00AM`.
    private mutating func takeShortClock() -> Bool {
        var line = self
        guard line.takeDigits(2) > 0, line.take(":"), line.takeDigits(2) == 2, line.take("AM") || line.take("PM") else {
            return false
        }
        self = line
        return true
    }

    /// Skips a zone behind a time, if there is one: `Z`, `+01:00`, `+0100`, ` +0000`, ` UTC`.
    private mutating func takeZone() {
        guard !take("Z") else {
            return
        }
        var line = self
        let isSeparate = line.take(" ")
        if line.take("+") || line.take("-") {
            guard line.takeDigits(2) == 2 else {
                return
            }
            _ = line.take(":")
            if line.takeDigits(2) == 2 {
                self = line
            }
            return
        }
        guard isSeparate else {
            return
        }
        let name = UnsafeRawBufferPointer(rebasing: line.rest.prefix { (0x41...0x5a).contains($0) })
        guard (3...4).contains(name.count), SeverityWords.ofLevel(name) == nil else {
            return
        }
        for _ in name {
            line.advance()
        }
        if line.current == UInt8(ascii: " ") || line.current == UInt8(ascii: "]") {
            self = line
        }
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
        let start = offset
        while current == UInt8(ascii: " ") || current == Byte.tab {
            advance()
        }
        return offset > start
    }
}
