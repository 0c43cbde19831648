// SPDX-License-Identifier: Apache-2.0

public import LogModel

extension Severity {
    /// The severity of a console line according to its text, for colours and filters; nil when it has none.
    ///
    /// Examined in this order: the level that `<N>` of the kernel and syslog, or `dmesg -x`, states; the alarms of kernels,
    /// firmware and services (`SeverityAlarms`); a tag or a word at the beginning (systemd's `[FAILED]`, `ERROR:`) or behind
    /// a program's time; klog's letter; sysvinit's and OpenRC's result at the end; a `level=` of logfmt or JSON. What
    /// `ConsolePrefix` describes, and a program's name (`sshd[812]: `), may precede alarms and words. Examines the first 512
    /// bytes, never allocates.
    public init?(consoleLine bytes: UnsafeRawBufferPointer) {
        var line = ConsoleLine(bytes)
        let prefix = line.takePrefix()
        if let level = prefix.level {
            self = level
            return
        }
        let isKernel = prefix.isKernel
        // OpenRC's.
        _ = line.take(" * ")
        let whole = line
        let program = line.takeProgram()
        line.takeDevice()
        guard
            let severity = SeverityAlarms.severity(of: whole, behindProgram: line, program, isKernel: isKernel)
                ?? SeverityWords.ofTag(whole) ?? SeverityWords.ofWord(atStartOf: whole.rest)
                ?? SeverityWords.ofWord(atStartOf: line.rest)
                ?? SeverityWords.ofTimed(line) ?? SeverityWords.ofLetter(line)
                ?? (line.isCut ? nil : SeverityWords.ofResult(in: whole.rest))
                ?? SeverityWords.ofField(in: whole.rest)
        else {
            return nil
        }
        self = severity
    }
}

/// The words that indicate a severity.
enum SeverityWords {
    /// `[FAILED]`, `[ WARN ]`, `[error]`: colour and spaces inside the brackets are ignored.
    static func ofTag(_ start: ConsoleLine) -> Severity? {
        var line = start
        guard line.take("[") else {
            return nil
        }
        skipPadding(&line)
        let word = leadingWord(of: line.rest)
        for _ in word {
            line.advance()
        }
        skipPadding(&line)
        guard line.current == UInt8(ascii: "]") else {
            return nil
        }
        return severity(of: word, in: systemdTags) ?? severity(of: word, in: levels)
    }

    static func skipPadding(_ line: inout ConsoleLine) {
        line.skipNoise()
        while line.current == UInt8(ascii: " ") {
            line.advance()
            line.skipNoise()
        }
    }

    /// `ERROR: …`, `warning: …`, or in capitals also without a colon, because "error" may begin a sentence.
    static func ofWord(atStartOf text: UnsafeRawBufferPointer) -> Severity? {
        let word = leadingWord(of: text)
        guard !word.isEmpty, word.count < text.count else {
            return nil
        }
        let isCapital = word.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        let next = text[word.count]
        guard next == UInt8(ascii: ":") || (isCapital && (next == UInt8(ascii: " ") || next == Byte.tab)) else {
            return nil
        }
        return severity(of: word, in: levels)
    }

    /// `level=error`, `lvl="warn"`, `"severity": "ERROR"`.
    static func ofField(in text: UnsafeRawBufferPointer) -> Severity? {
        for place in text.indices where text[place] == UInt8(ascii: "=") || text[place] == UInt8(ascii: ":") {
            guard isLevelName(endingAt: place, in: text) else {
                continue
            }
            var start = place + 1
            while start < text.count, text[start] == UInt8(ascii: " ") || text[start] == UInt8(ascii: "\"") {
                start += 1
            }
            let word = leadingWord(of: UnsafeRawBufferPointer(rebasing: text[start...]))
            if let severity = severity(of: word, in: levels) {
                return severity
            }
        }
        return nil
    }

    private static func isLevelName(endingAt end: Int, in text: UnsafeRawBufferPointer) -> Bool {
        var nameEnd = end
        if nameEnd > 0, text[nameEnd - 1] == UInt8(ascii: "\"") {
            nameEnd -= 1
        }
        return levelNames.contains { name in
            let start = nameEnd - name.utf8CodeUnitCount
            guard start >= 0, isEqual(UnsafeRawBufferPointer(rebasing: text[start..<nameEnd]), name) else {
                return false
            }
            return start == 0 || " \t,{\"".utf8.contains(text[start - 1])
        }
    }

    private static func leadingWord(of text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let end = text.firstIndex { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) } ?? text.count
        return UnsafeRawBufferPointer(rebasing: text[..<end])
    }

    private static func severity(
        of word: UnsafeRawBufferPointer,
        in words: [(StaticString, Severity)]
    ) -> Severity? {
        words.first { isEqual(word, $0.0) }?.1
    }

    /// Whether `text` is the lower-case `word`, in any case.
    private static func isEqual(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else {
            return false
        }
        return text.indices.allSatisfy { text[$0] | 0x20 == word.utf8Start[$0] }
    }

    private static let levelNames: [StaticString] = ["level", "lvl", "severity", "loglevel"]

    /// A job's result and the level at which systemd logs it (src/core/job.c), but for a missing dependency, because of
    /// which a unit does not start. `fail` is sysvinit's.
    private static let systemdTags: [(StaticString, Severity)] = [
        ("ok", .informational), ("failed", .error), ("time", .error), ("depend", .error), ("assert", .warning),
        ("unsupp", .warning), ("skip", .notice), ("fail", .error),
    ]

    private static let levels: [(StaticString, Severity)] = [
        ("error", .error), ("warn", .warning), ("warning", .warning), ("info", .informational), ("debug", .debug),
        ("err", .error), ("fatal", .critical), ("critical", .critical), ("crit", .critical), ("notice", .notice),
        ("trace", .debug), ("alert", .alert), ("emerg", .emergency), ("emergency", .emergency), ("panic", .emergency),
        ("informational", .informational),
    ]
}
