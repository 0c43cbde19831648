// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What precedes a console line's message, as far as it tells about the severity.
struct ConsolePrefix {
    /// The level that the kernel, syslog or dmesg states.
    var level: Severity?
    /// Whether the message is a kernel's, or was written to its log.
    var isKernel = false
}

extension ConsoleLine {
    /// Skips what precedes the message, in these orders: `<N>`; the facility and level of `dmesg -x`; or a kernel's time
    /// stamp, and the time and host of syslog or journalctl, after which `kernel: ` and the kernel's own stamp may stand; the
    /// time and processor of ESXi.
    mutating func takePrefix() -> ConsolePrefix {
        skipIndentation()
        if let priority = takePriority() {
            return ConsolePrefix(level: Severity(rawValue: UInt8(priority & 7)))
        }
        if let level = takeFacilityAndLevel() {
            return ConsolePrefix(level: level)
        }
        if takeXen() {
            takeDomain()
            return ConsolePrefix()
        }
        if let level = takeVMkernel() {
            return ConsolePrefix(level: level)
        }
        var isKernel = takeStamp() != nil || takeStampOfDmesg()
        skipNoise()
        let mayHaveTime = mayBeginTime
        if !(mayHaveTime && takeSyslogTimeAndHost()), mayHaveTime || isKernel {
            takeHostOfJournal(isKernel: isKernel)
        }
        if let level = takeFacilityDotLevel() {
            return ConsolePrefix(level: level)
        }
        if take("kernel: ") || (begins(with: "kernel:[") && take("kernel:")) {
            isKernel = true
            skipNoise()
            _ = takeStamp()
        }
        skipNoise()
        return ConsolePrefix(isKernel: isKernel)
    }

    /// Skips noise, and blanks before `<` or `[`: a kernel writes where the cursor is, which is to the right while an editor or
    /// a menu is open.
    private mutating func skipIndentation() {
        skipNoise()
        var line = self
        line.skipBlanks()
        if line.current == UInt8(ascii: "[") || line.current == UInt8(ascii: "<") {
            self = line
        }
    }

    /// Skips what Xen writes before its messages: `(XEN) `, and a time with `console_timestamps`.
    mutating func takeXen() -> Bool {
        guard take("(XEN) ") else {
            return false
        }
        _ = takeStamp() != nil || takeProgramTime()
        return true
    }

    /// Skips the domain and virtual processor of which Xen speaks, `d1v0 `.
    private mutating func takeDomain() {
        var line = self
        if line.take("d"), line.takeDigits(5) > 0, !line.take("v") || line.takeDigits(5) > 0, line.take(" ") {
            self = line
        }
    }

    /// Skips the facility and level that `dmesg -x` writes before the stamp, `kern  :err   : `, and returns the level.
    mutating func takeFacilityAndLevel() -> Severity? {
        // Nearly all lines are decided by the colon's column.
        guard rest.count > 14, rest[6] == UInt8(ascii: ":") || rest[8] == UInt8(ascii: ":") else {
            return nil
        }
        var line = self
        guard Self.facilities.contains(where: { line.take($0) }) else {
            return nil
        }
        // `local0`.
        _ = line.takeDigits(1)
        guard line.takePadding(to: offset + 6), line.take(":") else {
            return nil
        }
        let start = line.offset
        guard let level = Self.namesOfLevels.first(where: { line.take($0.word) }), line.takePadding(to: start + 6),
            line.take(": ")
        else {
            return nil
        }
        self = line
        return level.severity
    }

    private static let facilities: [StaticString] = [
        "kern", "user", "mail", "daemon", "authpriv", "auth", "syslog", "lpr", "news", "uucp", "cron", "ftp", "res",
        "local",
    ]

    private static let namesOfLevels: [(word: StaticString, severity: Severity)] = [
        ("emerg", .emergency), ("alert", .alert), ("crit", .critical), ("err", .error), ("warn", .warning),
        ("notice", .notice), ("info", .informational), ("debug", .debug),
    ]

    /// Skips spaces up to the column at `end`; false when something else is before it.
    private mutating func takePadding(to end: Int) -> Bool {
        while offset < end {
            guard take(" ") else {
                return false
            }
        }
        return true
    }

    /// Skips the time that `dmesg -T` writes instead of the stamp, `[Mon Jan  1 10:00:00 2024] `, and those of its options
    /// `-d`, `-e` and `-H`: `[   12.345678 <    0.000012>] `, `[Jan 1 10:00] `, `[  +0.000012] `.
    private mutating func takeStampOfDmesg() -> Bool {
        var line = self
        guard line.take("["), let first = line.current else {
            return false
        }
        switch first {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            guard line.takeName() else {
                return false
            }
            // That was a day's name, if a month's follows.
            var month = line
            if month.take(" "), month.takeName() {
                line = month
            }
            _ = line.takeSpaces()
            guard line.takeDigits(2) > 0, line.take(" "), line.takeDigits(2) == 2, line.take(":"),
                line.takeDigits(2) == 2
            else {
                return false
            }
            if line.take(":"), line.takeDigits(2) != 2 {
                return false
            }
            if line.take(" "), line.takeDigits(4) != 4 {
                return false
            }
        case UInt8(ascii: " "), UInt8(ascii: "+"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard line.takeOffset() else {
                return false
            }
            if line.take(" <"), !(line.takeOffset() && line.take(">")) {
                return false
            }
        default:
            return false
        }
        guard line.take("] ") else {
            return false
        }
        self = line
        return true
    }

    /// Skips seconds with a fraction, padded with spaces.
    private mutating func takeOffset() -> Bool {
        while take(" ") {}
        _ = take("+")
        return takeDigits(10) > 0 && take(".") && takeDigits(9) > 0
    }

    /// Skips syslog's time and host, `Oct 11 22:14:15 web `, with a fraction too, or the time alone; false when there is no
    /// time, and when a level follows it: then a program wrote it.
    private mutating func takeSyslogTimeAndHost() -> Bool {
        var line = self
        guard line.takeName(), line.take(" "), line.take(" ") ? line.takeDigits(1) == 1 : line.takeDigits(2) == 2,
            line.take(" "), line.takeClock(), line.take(" "), !line.isAtCapitalLevel
        else {
            return false
        }
        _ = line.takeHost()
        self = line
        return true
    }

    private var isAtCapitalLevel: Bool {
        let word = SeverityWords.leadingWord(of: rest)
        return SeverityWords.isCapital(word) && SeverityWords.ofLevel(word) != nil
    }

    /// Skips a host's name and the space after it; false when a program's name or a level is there. BusyBox writes `(none)`.
    private mutating func takeHost() -> Bool {
        var line = self
        if !line.take("(none)") {
            while let byte = line.current, Self.isNameByte(byte) {
                line.advance()
            }
        }
        guard line.offset > offset, current != UInt8(ascii: "-"), line.current == UInt8(ascii: " "), !isAtCapitalLevel
        else {
            return false
        }
        line.advance()
        self = line
        return true
    }

    /// Skips the facility and level that BusyBox and OpenWrt write before the program, `kern.err `, and returns the level.
    private mutating func takeFacilityDotLevel() -> Severity? {
        var line = self
        guard current.map({ $0 > 0x60 }) ?? false, Self.facilities.contains(where: { line.take($0) }) else {
            return nil
        }
        _ = line.takeDigits(1)
        guard line.take("."), let level = Self.namesOfLevels.first(where: { line.take($0.word) }), line.take(" ") else {
            return nil
        }
        self = line
        return level.severity
    }

    /// Skips the time and host that rsyslog and journalctl write in newer formats, `2026-01-01T10:00:00.123+00:00 web `, or
    /// the host alone behind a stamp (`journalctl -o short-monotonic`), when a program's name follows; also QEMU's time, a
    /// program's name behind it. Text follows the time that other programs write.
    private mutating func takeHostOfJournal(isKernel: Bool) {
        var line = self
        let hasTime = line.takeProgramTime()
        guard hasTime || isKernel else {
            return
        }
        var level = line
        if hasTime, level.takeFacilityDotLevel() != nil {
            self = line
            return
        }
        var program = line
        if program.takeHost(), program.isAtProgram(hasNumber: isKernel) {
            self = program
            return
        }
        program = line
        if hasTime, line.current.map({ $0 > 0x40 }) ?? false, program.takeProgram() != nil {
            self = line
        }
    }

    /// Whether the word here is a program's name with a colon; with a number in brackets, or the kernel's name, when
    /// `hasNumber` says that other text has such words too.
    private func isAtProgram(hasNumber: Bool) -> Bool {
        guard hasNumber else {
            return rest.prefix { $0 > 0x20 }.last == UInt8(ascii: ":")
        }
        var line = self
        guard !line.begins(with: "kernel: ") else {
            return true
        }
        return line.takeProgram()?.hasNumber ?? false
    }
}
