// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite("Lines around matches", .blocking)
struct ContextTests {
    private func sample(_ text: String) throws -> SampleStore {
        let sample = try SampleStore()
        try sample.add("web")
        try sample.append(text)
        return sample
    }

    private func text(
        _ sample: SampleStore,
        _ pattern: String,
        before: Int = 0,
        after: Int = 0,
        format: OutputFormat = .text,
        _ change: (inout Selection) -> Void = { _ in }
    ) throws -> String {
        try query(sample, pattern, before: before, after: after, format: format, change).text()
    }

    private func query(
        _ sample: SampleStore,
        _ pattern: String,
        before: Int = 0,
        after: Int = 0,
        format: OutputFormat = .text,
        _ change: (inout Selection) -> Void = { _ in }
    ) throws -> LogQuery {
        try sample.query(Rendering(format: format)) {
            $0.pattern = try Pattern(pattern)
            $0.context.before = before
            $0.context.after = after
            change(&$0)
        }
    }

    private static let digits = (0..<20).map { "line \($0)\n" }.joined()

    @Test("groups that touch are one; a marker stands where lines were left out, and nowhere in other formats")
    func groups() throws {
        let sample = try sample(Self.digits)
        let shown = try text(sample, "line (3|6|12)$", before: 1, after: 1)
        #expect(
            shown == "line 2\nline 3\nline 4\nline 5\nline 6\nline 7\n-- ... --\nline 11\nline 12\nline 13\n"
        )
        let raw = try text(sample, "line (3|12)$", before: 1, format: .raw)
        #expect(raw == "line 2\nline 3\nline 11\nline 12\n")
    }

    @Test("a number of first or last lines counts matches, and their contexts are whole")
    func counts() throws {
        let sample = try sample(Self.digits)
        let first = try text(sample, "line [0-9]$", after: 2, format: .raw) { $0.head = 1 }
        #expect(first == "line 0\nline 1\nline 2\n")
        let one = try text(sample, "line 1[0-9]*[05]$", before: 1, after: 2, format: .raw) { $0.head = 1 }
        #expect(one == "line 9\nline 10\nline 11\nline 12\n")
        let last = try text(sample, "line 1[0-9]*[05]$", before: 2, after: 1, format: .raw) { $0.tail = 1 }
        #expect(last == "line 13\nline 14\nline 15\nline 16\n")
    }

    @Test("of several streams each has the whole context of its last match, and no further match")
    func countsOfStreams() throws {
        let sample = try SampleStore()
        try sample.add("web")
        for number in 0..<6 {
            try sample.append("console \(number)\n", after: 1000)
            try sample.append("journal \(number)\n", "journal", after: 1000)
        }
        let query = try query(sample, "console 1|journal [13]", after: 2, format: .raw) { $0.head = 2 }
        #expect(
            try query.text() == "console 1\njournal 1\nconsole 2\njournal 2\nconsole 3\njournal 3\n"
        )
        // The next query begins after them.
        let next = try self.query(sample, "console 1|journal [15]", format: .raw) { $0.cursor = query.cursor }
        #expect(try next.text() == "journal 5\n")
        let first = try self.query(sample, "console 1|journal [13]", after: 2, format: .raw) { $0.head = 1 }
        #expect(try first.text() == "console 1\nconsole 2\nconsole 3\n")
        let rest = try self.query(sample, "console 1|journal [13]", format: .raw) { $0.cursor = first.cursor }
        #expect(try rest.text() == "journal 1\njournal 3\n")
    }

    @Test("without a match nothing is shown, and a context alone is no match")
    func noMatch() throws {
        let query = try query(sample(Self.digits), "absent", before: 5, after: 5)
        #expect(try query.text().isEmpty)
        #expect(!query.matchedAny && query.explanation() != nil)
    }

    @Test("a loss before, inside and after a context is in its place")
    func losses() throws {
        let sample = try SampleStore()
        try sample.add("web")
        for number in 0..<12 {
            try sample.append("line \(number)\n")
            if [1, 5, 6, 10].contains(number) {
                let gap = GapDetail(
                    reason: .rateLimit,
                    bytes: UInt64(number),
                    lines: 1,
                    since: sample.now,
                    isClosed: true
                )
                try sample.mark(RecordDetail(gap: gap))
            }
        }
        let shown = try text(sample, "line 6$", before: 1, after: 1).split(separator: "\n").map { line in
            line.hasPrefix("-- ") ? String(line.prefix { $0 != "(" }) : String(line)
        }
        #expect(
            shown == ["-- 1 byte ", "line 5", "-- 5 bytes ", "line 6", "-- 6 bytes ", "line 7", "-- 10 bytes "]
        )
    }

    @Test("a match that is shown before its end is followed by its context, and --head ends with that")
    func headBeforeEnd() throws {
        let sample = try sample("one\nlogin: ")
        let query = try query(sample, "login:", after: 2, format: .text) {
            $0.follow = true
            $0.head = 1
        }
        #expect(try query.text().isEmpty)
        let early = query.flushUnfinished(silentSince: sample.now.advanced(byMicroseconds: 10_000_000))
        #expect(early == Array("login: ".utf8) && !query.isFinished)
        try sample.append("root\ntwo\nlogin: again\n")
        query.note(.anything)
        #expect(try query.text() == "root\ntwo\n" && query.isFinished)
    }

    @Test("a follower shows what follows a match when it comes, and a prompt that matches with the lines before it")
    func follows() throws {
        let sample = try sample("one\ntwo\n")
        let query = try query(sample, "match|login:", before: 1, after: 2, format: .raw) { $0.follow = true }
        var shown = ""
        func hear(_ text: String) throws {
            try sample.append(text)
            query.note(.anything)
            shown += try query.text()
        }
        try hear("three\nmatch\nfour\n")
        #expect(shown == "three\nmatch\nfour\n")
        try hear("five\nsix\n")
        #expect(shown == "three\nmatch\nfour\nfive\n")
        try hear("seven\nmatch\n")
        #expect(shown == "three\nmatch\nfour\nfive\nseven\nmatch\n")

        let prompt = try self.query(sample, "login:", before: 1) { $0.follow = true }
        #expect(try prompt.text().isEmpty)
        try sample.append("eight\nlogin: ", after: 0)
        prompt.note(.anything)
        #expect(try prompt.text() == "eight\n")
        let early = prompt.flushUnfinished(silentSince: sample.now.advanced(byMicroseconds: 10_000_000))
        #expect(early.map { String(decoding: $0, as: UTF8.self) } == "login: ")
    }

    @Test("a cursor inside a context resumes with the matches that were not returned")
    func cursors() throws {
        let sample = try sample(Self.digits)
        let first = try query(sample, "line (3|12)$", before: 1, after: 1, format: .raw) { $0.head = 1 }
        #expect(try first.text() == "line 2\nline 3\nline 4\n")
        let rest = try text(sample, "line (3|12)$", before: 1, after: 1, format: .raw) { $0.cursor = first.cursor }
        #expect(rest == "line 11\nline 12\nline 13\n")
    }
}
