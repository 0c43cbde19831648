// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The words that indicate a severity.
enum SeverityWords {
    /// The level with which `message` begins; `line` is behind the program's name in it.
    static func ofBeginning(_ message: ConsoleLine, behindProgram line: ConsoleLine) -> Severity? {
        if let severity = ofTag(message) ?? ofWord(atStartOf: message.rest) ?? ofLetter(message) ?? ofCategory(message)
        {
            return severity
        }
        if line.offset > message.offset, let severity = ofWord(atStartOf: line.rest) ?? ofLetter(line) {
            return severity
        }
        return ofAngleTag(line, isBeforeTime: true) ?? ofTimed(line) ?? ofTopics(message) ?? ofMarkedWord(line)
    }

    /// `[FAILED]`, `[ WARN ]`, `[error]`: colour and spaces inside the brackets are ignored.
    static func ofTag(_ start: ConsoleLine) -> Severity? {
        guard let word = wordInBrackets(start) else {
            return nil
        }
        return severity(of: word, in: isCapital(word) ? systemdTags : sysvinitTags) ?? ofLevel(word)
    }

    /// `[ERROR]`, and not a result of a job.
    static func ofLevelTag(_ start: ConsoleLine) -> Severity? { wordInBrackets(start).flatMap(ofLevel) }

    private static func wordInBrackets(_ start: ConsoleLine) -> UnsafeRawBufferPointer? {
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
        return line.current == UInt8(ascii: "]") ? word : nil
    }

    static func skipPadding(_ line: inout ConsoleLine) {
        line.skipNoise()
        while line.current == UInt8(ascii: " ") {
            line.advance()
            line.skipNoise()
        }
    }

    /// `<error> `, of ClickHouse; NetworkManager's time in brackets follows its level.
    static func ofAngleTag(_ start: ConsoleLine, isBeforeTime: Bool = false) -> Severity? {
        var line = start
        guard line.take("<") else {
            return nil
        }
        let word = leadingWord(of: line.rest)
        for _ in word {
            line.advance()
        }
        guard line.take("> ") else {
            return nil
        }
        _ = line.takeSpaces()
        return isBeforeTime && line.current != UInt8(ascii: "[") ? nil : severity(of: word, in: levels)
    }

    /// `ERROR: …`, `warning: …`, or in capitals also without a colon, because "error" may begin a sentence: `ERROR …`,
    /// `ERROR! …`, and logrus's `ERRO[0001] …`.
    static func ofWord(atStartOf text: UnsafeRawBufferPointer) -> Severity? {
        let word = leadingWord(of: text)
        guard !word.isEmpty, word.count < text.count else {
            return nil
        }
        let after = UnsafeRawBufferPointer(rebasing: text[(word.count + 1)...])
        switch text[word.count] {
        case UInt8(ascii: ":"):
            return isNothing(after) ? nil : severity(of: word, in: levels)
        case UInt8(ascii: "["):
            return isCapital(word) && after.first.map { (0x30...0x39).contains($0) } ?? false ? ofLevel(word) : nil
        case UInt8(ascii: " "), Byte.tab, UInt8(ascii: "!"):
            // These begin sentences in capitals: `ALERT MANAGER started`.
            return isCapital(word) && severity(of: word, in: nouns) == nil ? severity(of: word, in: levels) : nil
        default:
            return nil
        }
    }

    /// A level in capitals behind blanks or marks, `*** ERROR: …`, `**ERROR** …`.
    static func ofMarkedWord(_ start: ConsoleLine) -> Severity? {
        var line = start
        while let byte = line.current, isMark(byte), line.offset - start.offset < 8 {
            line.advance()
        }
        let word = leadingWord(of: line.rest)
        guard line.offset > start.offset, isCapital(word), word.count < line.rest.count else {
            return nil
        }
        return line.rest[word.count] == UInt8(ascii: "*")
            ? severity(of: word, in: levels) : ofWord(atStartOf: line.rest)
    }

    private static func isMark(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), Byte.tab, UInt8(ascii: "*"), UInt8(ascii: "!"), UInt8(ascii: ">"), UInt8(ascii: "="),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// `fail: Category[0]`, of .NET, whose other levels are words.
    static func ofCategory(_ start: ConsoleLine) -> Severity? {
        var line = start
        guard line.take("fail: ") else {
            return nil
        }
        while let byte = line.current, ConsoleLine.isNameByte(byte) {
            line.advance()
        }
        return line.take("[") && line.takeDigits(10) > 0 && line.take("]") ? .error : nil
    }

    /// Whether a word and a colon are followed by a count of nothing: `Error: 0`, `warning: none`, `error: 0 messages`.
    static func isCountOfNothing(_ text: UnsafeRawBufferPointer) -> Bool {
        let word = leadingWord(of: text)
        return !word.isEmpty && word.count < text.count && text[word.count] == UInt8(ascii: ":")
            && isNothing(UnsafeRawBufferPointer(rebasing: text[(word.count + 1)...]))
    }

    private static func isNothing(_ text: UnsafeRawBufferPointer) -> Bool {
        let trimmed = text.drop { $0 <= 0x20 }
        guard let first = trimmed.first else {
            return false
        }
        if first == UInt8(ascii: "0") {
            let rest = trimmed.dropFirst()
            let noun = rest.drop { $0 == UInt8(ascii: " ") }
            return rest.first.map { $0 <= 0x20 } ?? true && noun.drop { $0 > 0x20 }.allSatisfy { $0 <= 0x20 }
        }
        let word = leadingWord(of: UnsafeRawBufferPointer(rebasing: trimmed))
        return trimmed.dropFirst(word.count).allSatisfy { $0 <= 0x20 } && nothings.contains { isEqual(word, $0) }
    }

    /// Whether `word` is a level.
    static func isLevel(_ word: UnsafeRawBufferPointer) -> Bool {
        severity(of: word, in: levels) != nil
    }

    /// The severity of a level or of its abbreviation.
    static func ofLevel(_ word: UnsafeRawBufferPointer) -> Severity? {
        severity(of: word, in: levels) ?? severity(of: word, in: abbreviations)
    }

    static func isCapital(_ word: UnsafeRawBufferPointer) -> Bool { word.allSatisfy { (0x41...0x5a).contains($0) } }

    static func leadingWord(of text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let end = text.firstIndex { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) } ?? text.count
        return UnsafeRawBufferPointer(rebasing: text[..<end])
    }

    static func severity(
        of word: UnsafeRawBufferPointer,
        in words: [(StaticString, Severity)]
    ) -> Severity? {
        guard (2...13).contains(word.count) else {
            return nil
        }
        for (name, severity) in words where isEqual(word, name) {
            return severity
        }
        return nil
    }

    /// Whether `text` is the lower-case `word`, in any case.
    static func isEqual(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else {
            return false
        }
        for index in text.indices where lowercased(text[index]) != word.utf8Start[index] {
            return false
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

    private static let nothings: [StaticString] = ["none", "no", "nil", "null", "nothing"]

    /// A job's result and the level at which systemd logs it (src/core/job.c), but for a missing dependency, because of
    /// which a unit does not start.
    private static let systemdTags: [(StaticString, Severity)] = [
        ("ok", .informational), ("failed", .error), ("time", .error), ("depend", .error), ("assert", .warning),
        ("unsupp", .warning), ("skip", .notice), ("fail", .error),
    ]

    private static let sysvinitTags: [(StaticString, Severity)] = [("ok", .informational), ("fail", .error)]

    static let levels: [(StaticString, Severity)] = [
        ("error", .error), ("warn", .warning), ("warning", .warning), ("info", .informational), ("debug", .debug),
        ("err", .error), ("fatal", .critical), ("critical", .critical), ("crit", .critical), ("notice", .notice),
        ("trace", .debug), ("alert", .alert), ("emerg", .emergency), ("emergency", .emergency), ("panic", .emergency),
        ("informational", .informational), ("severe", .error),
    ]

    /// Levels that are usual nouns too.
    private static let nouns: [(StaticString, Severity)] = [
        ("alert", .alert), ("emergency", .emergency), ("panic", .emergency), ("trace", .debug),
    ]

    /// Of logging libraries, between other marks only.
    static let abbreviations: [(StaticString, Severity)] = [
        ("wrn", .warning), ("inf", .informational), ("ftl", .critical), ("dbg", .debug), ("erro", .error),
        ("eror", .error), ("fata", .critical), ("pani", .emergency), ("debu", .debug), ("debg", .debug),
        ("trce", .debug), ("trac", .debug),
        ("trc", .debug),
        ("information", .informational), ("verbose", .debug),
    ]
}
