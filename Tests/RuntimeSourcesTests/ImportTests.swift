// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import RuntimeSources

@Suite(.blocking) struct ImportTests {
    @Test("a file's records are stored, those with a sandbox under its name; importing again adds what is new")
    func kata() throws {
        let fixture = try SourceFixture()
        let line = #"time="2020-02-21T10:31:27.5Z" level=info msg=hi name=kata pid=1 source=x"#
        let path = try fixture.write(line + "\n" + line + " sandbox=s1\n", "kata.log")
        #expect(try fixture.importing(.file(path, .kata)) == 2)
        let stored =
            #"{"GUESTLOG_TIME":"2020-02-21T10:31:27.500000000Z","level":"info","msg":"hi","name":"kata","pid":1,"source":"x"}"#
        #expect(try fixture.lines() == [stored])
        #expect(try fixture.lines(of: "s1") == [stored.dropLast() + #","sandbox":"s1"}"#])
        try fixture.restart()
        #expect(try fixture.importing(.file(path, .kata)) == 0)
        _ = try fixture.write(line + "\n" + line + " sandbox=s1\n" + line + " n=3\n", "kata.log")
        #expect(try fixture.importing(.file(path, .kata)) == 1)
        #expect(try fixture.lines().count == 2 && fixture.lines(of: "s1").count == 1)
    }

    @Test("another file under the same name is read from its beginning")
    func otherFile() throws {
        let fixture = try SourceFixture()
        let path = try fixture.write("one\ntwo\n", "a.log")
        #expect(try fixture.importing(.file(path, .text)) == 2)
        _ = try fixture.write("three\nfour\nfive\n", "a.log")
        #expect(try fixture.importing(.file(path, .text)) == 3)
        #expect(try fixture.lines().count == 5)
    }

    @Test("an empty file is told from one that has nothing new")
    func empty() throws {
        let fixture = try SourceFixture()
        for contents in ["", "", "\0\0\0"] {
            let found = try fixture.outcome(of: .file(fixture.write(contents, "a.log"), .text))
            #expect(found.records == 0 && !found.isContinued)
        }
        let path = try fixture.write("one\n", "a.log")
        #expect(try fixture.importing(.file(path, .text)) == 1)
        let again = try fixture.outcome(of: .file(path, .text))
        #expect(again.records == 0 && again.isContinued)
        let other = try fixture.outcome(of: .file(fixture.write("\n\n", "a.log"), .text))
        #expect(other.records == 0 && !other.isContinued)
    }

    @Test("a file in the journal's export format: entries with their times; importing again adds what is new")
    func exportFile() throws {
        func entry(_ number: Int, _ end: String = "\n\n") -> String {
            "__CURSOR=c\(number)\n__REALTIME_TIMESTAMP=170000000000000\(number)\n_PID=1\nMESSAGE=m\(number)" + end
        }
        let fixture = try SourceFixture()
        let path = try fixture.write(entry(1) + "bad name\n\n" + entry(2), "journal.export")
        var options = JournalOptions()
        options.paths = [path]
        #expect(try fixture.importing(.journal(options)) == 2)
        #expect(
            try fixture.lines().first
                == #"{"GUESTLOG_TIME":"2023-11-14T22:13:20.000001000Z","_PID":"1","MESSAGE":"m1"}"#
        )
        #expect(try fixture.importing(.journal(options)) == 0)
        _ = try fixture.write(entry(1) + "bad name\n\n" + entry(2) + entry(3, "\n"), "journal.export")
        #expect(try fixture.importing(.journal(options)) == 1)
        #expect(try fixture.lines().count == 3 && fixture.lines().last?.contains("GUESTLOG_TRUNCATED") == true)
    }

    @Test("two files into one stream, and one that does not exist")
    func several() throws {
        let fixture = try SourceFixture()
        #expect(try fixture.importing(.file(fixture.write("one\n", "a"), .text), "a") == 1)
        #expect(try fixture.importing(.file(fixture.write("two\n", "b"), .text), "b") == 1)
        #expect(try fixture.lines() == [#"{"message":"one"}"#, #"{"message":"two"}"#])
        #expect(throws: SystemError.self) { try fixture.importing(.file("/no/such/file", .text)) }
    }

    @Test("a record longer than a store's record is cut, flagged and stored")
    func tooLong() throws {
        let fixture = try SourceFixture()
        // Each byte that is not UTF-8 needs four.
        let path = try fixture.write([UInt8](repeating: 0xff, count: 2 << 20) + Array("\nnext\n".utf8), "long")
        #expect(try fixture.importing(.file(path, .text)) == 2)
        let lines = try fixture.lines()
        #expect(lines.count == 2 && lines[0].hasSuffix(#""GUESTLOG_TRUNCATED":true}"#) && lines[1].contains("next"))
    }

    @Test("positions: numbers and where to resume come back; other bytes are none")
    func positions() {
        var position = ReadPosition(source: "x")
        position.number = 0x0102_0304_0506_0708
        position.resume = [1, 2, 3]
        #expect(ReadPosition(position.bytes) == position)
        #expect(ReadPosition([1, 2, 3]) == nil)
        #expect(ReadPosition(source: "x").source != ReadPosition(source: "y").source)
    }

    @Test("everything is committed up to a round when all batches up to it are")
    func commits() {
        let commits = CommitCounter()
        func position(_ number: UInt64) -> ReadPosition {
            var position = ReadPosition(source: "x")
            position.number = number
            return position
        }
        let (a, b) = (commits.begin(), commits.begin())
        commits.endRound(at: position(1))
        let c = commits.begin()
        commits.endRound(at: position(2))
        #expect(commits.takeSafe() == nil)
        commits.end(c)
        commits.end(a)
        #expect(commits.takeSafe() == nil)
        commits.end(b)
        #expect(commits.takeSafe()?.number == 2 && commits.takeSafe() == nil)
    }
}
