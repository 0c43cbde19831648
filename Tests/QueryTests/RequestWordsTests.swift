// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import Query

@Suite("Request words", .blocking)
struct RequestWordsTests {
    @Test("a number of last lines is a number, or all", arguments: [("0", 0), ("20", 20), ("all", nil), ("-1", nil)])
    func tail(_ word: String, _ expected: Int?) throws {
        #expect(try RequestWords.tail("--tail", word) == expected)
    }

    @Test(
        "another number of last lines is refused with the remedy",
        arguments: [
            ("-5", "--tail=-5: must be a whole number, 0 or more, or all"), ("+5", "for the first lines use head"),
            ("x", "--tail=x"), ("", "--tail="), ("1000001", "at most 1000000"),
        ]
    )
    func refusedTail(_ word: String, _ remedy: String) {
        let error = #expect(throws: QueryError.self) { try RequestWords.tail("--tail", word) }
        #expect(error?.message.contains(remedy) == true, "\(error?.message ?? "")")
    }

    @Test("what is no stream name is refused with the whole rule", arguments: ["lock", "A", "", "a/b"])
    func refusedStream(_ word: String) {
        let error = #expect(throws: QueryError.self) { try RequestWords.stream(word) }
        #expect(error?.message == "'\(word)' is not a stream name: use 1 to 64 of a-z, 0-9, _ and -, and not lock")
    }

    @Test(
        "a pattern of several words matches where one does, each with its own case and groups",
        arguments: [
            ("ERROR: x", true), ("error: x", false), ("Warning", true), ("abab", true), ("abcd", false),
            ("one|two", false),
        ]
    )
    func anyOf(_ line: String, _ isMatch: Bool) throws {
        let pattern = try RequestWords.pattern(anyOf: ["ERROR", "warning", "(..)\\1"], ignoreCase: nil)
        var matcher = Matcher(pattern)
        let bytes = Array(line.utf8)
        #expect(bytes.withUnsafeBytes { matcher.matches($0) } == isMatch)
    }

    @Test(
        "a pattern whose end is in a quotation or a comment does not take in the next one",
        arguments: [("\\Qa[b", "a[b"), ("(?x) a # note", "a"), ("(?x)a #\\Q", "a")]
    )
    func openEnds(_ word: String, _ match: String) throws {
        for words in [[word, "other"], ["other", word]] {
            let pattern = try RequestWords.pattern(anyOf: words, ignoreCase: nil)
            var matcher = Matcher(pattern)
            for (line, isMatch) in [(match, true), ("other", true), ("none", false)] {
                #expect(Array(line.utf8).withUnsafeBytes { matcher.matches($0) } == isMatch, "\(words): \(line)")
            }
        }
    }

    @Test(
        "a severity selects what is worse too, a range as journalctl has it both ends and what is between them",
        arguments: [
            ("err", Severity.emergency ... .error, "err"), ("err..alert", .alert ... .error, "err..alert"),
            ("alert..err", .alert ... .error, "err..alert"), ("0..4", .emergency ... .warning, "warning"),
            ("notice..notice", .notice ... .notice, "notice..notice"),
        ]
    )
    func severities(_ word: String, _ expected: ClosedRange<Severity>, _ words: String) throws {
        #expect(try RequestWords.severities(word) == expected)
        #expect(RequestWords.text(of: expected) == words)
    }

    @Test(
        "another word for a severity is refused by name",
        arguments: ["worse", "err..", "..err", "err..bad", "err...alert"]
    )
    func refusedSeverity(_ word: String) {
        let error = #expect(throws: QueryError.self) { try RequestWords.severities(word) }
        #expect(error?.message.contains("unknown severity") == true)
    }

    @Test("each of several patterns must be valid by itself")
    func anyOfInvalid() {
        #expect(throws: QueryError.self) { try RequestWords.pattern(anyOf: ["(a", "b)"], ignoreCase: nil) }
    }
}
