// SPDX-License-Identifier: Apache-2.0

import LogModel

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
        guard next != UInt8(ascii: ":") || !isNothing(UnsafeRawBufferPointer(rebasing: text[(word.count + 1)...]))
        else {
            return nil
        }
        return severity(of: word, in: levels)
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

    static func leadingWord(of text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let end = text.firstIndex { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) } ?? text.count
        return UnsafeRawBufferPointer(rebasing: text[..<end])
    }

    static func severity(
        of word: UnsafeRawBufferPointer,
        in words: [(StaticString, Severity)]
    ) -> Severity? {
        words.first { isEqual(word, $0.0) }?.1
    }

    /// Whether `text` is the lower-case `word`, in any case.
    static func isEqual(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else {
            return false
        }
        return text.indices.allSatisfy { text[$0] | 0x20 == word.utf8Start[$0] }
    }

    private static let nothings: [StaticString] = ["none", "no", "nil", "null", "nothing"]

    /// A job's result and the level at which systemd logs it (src/core/job.c), but for a missing dependency, because of
    /// which a unit does not start. `fail` is sysvinit's.
    private static let systemdTags: [(StaticString, Severity)] = [
        ("ok", .informational), ("failed", .error), ("time", .error), ("depend", .error), ("assert", .warning),
        ("unsupp", .warning), ("skip", .notice), ("fail", .error),
    ]

    static let levels: [(StaticString, Severity)] = [
        ("error", .error), ("warn", .warning), ("warning", .warning), ("info", .informational), ("debug", .debug),
        ("err", .error), ("fatal", .critical), ("critical", .critical), ("crit", .critical), ("notice", .notice),
        ("trace", .debug), ("alert", .alert), ("emerg", .emergency), ("emergency", .emergency), ("panic", .emergency),
        ("informational", .informational),
    ]
}
