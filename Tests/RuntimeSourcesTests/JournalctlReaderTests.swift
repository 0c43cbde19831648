// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats
import Transforms

@testable import RuntimeSources

/// The reader beside a fake journalctl: a shell script that notes its process in the file `pids`.
@Suite(.blocking) struct JournalctlReaderTests {
    private let fixture: SourceFixture
    private let interruption: Interruption

    init() throws {
        fixture = try SourceFixture()
        interruption = try Interruption()
        interruption.raise()
    }

    private var pids: String { fixture.folder.path + "/pids" }

    /// A reader of what the commands print: the first ones at first, the others after the entry `c1`.
    private func reader(
        first: String,
        then: String = "",
        after cursor: String? = nil,
        fromHead: Bool = true
    ) throws -> JournalctlReader {
        let script = try fixture.write(
            """
            echo $$ >> \(pids)
            entry() { printf '__CURSOR=%s\\n__REALTIME_TIMESTAMP=1700000000000001\\nMESSAGE=%s\\n\\n' "$1" "$2"; }
            case "$*" in
            *--after-cursor=c1*) \(then) ;;
            *) \(first) ;;
            esac
            """,
            "fake-journalctl"
        )
        var options = JournalOptions()
        options.readsFromHead = fromHead
        return JournalctlReader(options, after: cursor, program: ["sh", script])
    }

    /// The texts of the entries up to the next pause.
    private func read(_ reader: JournalctlReader) throws -> [String] {
        var record = RecordBuffer()
        var texts: [String] = []
        while try reader.next(&record) != nil {
            texts.append(record.value(of: Array("MESSAGE".utf8)).map { String(decoding: $0, as: UTF8.self) } ?? "")
        }
        reader.wait(interruption, within: 0)
        return texts
    }

    @Test("each run continues after the last entry")
    func runs() throws {
        let reader = try reader(first: "entry c0 one; entry c1 two", then: "entry c1 three")
        #expect(try read(reader) == ["one", "two"])
        #expect(try read(reader) == ["three"])
        let other = try self.reader(first: "exit 1", then: "entry c2 four", after: "c1")
        #expect(try read(other) == ["four"])
    }

    @Test("a journal that has no entry at first, and is read from its end: every entry that comes is read")
    func emptyEnd() throws {
        let isFirst = fixture.folder.path + "/is-first"
        let reader = try reader(
            first: "if mkdir \(isFirst) 2>/dev/null; then :; else entry c0 one; entry c1 two; fi",
            then: "entry c2 three",
            fromHead: false
        )
        #expect(try read(reader).isEmpty)
        #expect(reader.startCursor == "")
        #expect(try read(reader) == ["one", "two"])
        #expect(try read(reader) == ["three"])
        let other = try self.reader(first: "entry c1 old", then: "entry c2 new", fromHead: false)
        #expect(try read(other).isEmpty)
        #expect(other.startCursor == "c1")
        #expect(try read(other) == ["new"])
    }

    @Test("a run that cannot be parsed is ended, with its process, and the next one continues")
    func fault() throws {
        let reader = try reader(
            first: "entry c1 one; printf 'LARGE\\n\\377\\377\\377\\377\\377\\377\\377\\177'; exec sleep 1000",
            then: "entry c2 two"
        )
        #expect(try read(reader) == ["one"])
        #expect(reader.skipped == 1)
        let noted = try LinuxFileSystem().contents(of: pids) ?? []
        let process = try #require(pid_t(String(decoding: noted.dropLast(), as: UTF8.self)))
        #expect(kill(process, 0) == -1 && errno == ESRCH, "the process is there, or is a zombie")
        #expect(try read(reader) == ["two"])
    }

    @Test("a program that fails is an error")
    func failure() throws {
        let reader = try reader(first: "entry c1 one; exit 3")
        #expect(throws: SystemError.self) { try read(reader) }
    }

    @Test("a time that is none is left out")
    func impossibleTime() throws {
        let entry = #"printf '__CURSOR=c1\n__REALTIME_TIMESTAMP=-9223372036854775808\nMESSAGE=one\n\n'"#
        let reader = try reader(first: entry)
        var record = RecordBuffer()
        #expect(try reader.next(&record) == "c1" && record.time == nil)
        record.append("__REALTIME_TIMESTAMP", "-9223372036854775808")
        record.takeJournalTime()
        #expect(record.time == nil)
    }

    @Test("an entry whose cursor is too long for a position is skipped")
    func longCursor() throws {
        let long = String(repeating: "c", count: 300)
        let reader = try reader(first: "entry \(long) one; entry c1 two")
        #expect(try read(reader) == ["two"])
        #expect(reader.skipped == 1)
    }
}
