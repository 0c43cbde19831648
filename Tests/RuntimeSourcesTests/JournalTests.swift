// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import RuntimeSources

/// Journals that systemd-journal-remote has made.
@Suite(.blocking, .enabled(if: access("/lib/systemd/systemd-journal-remote", X_OK) == 0))
struct JournalTests {
    private static let writer = "/lib/systemd/systemd-journal-remote"

    /// Entries in the export format, numbered.
    private static func export(_ numbers: Range<Int>, _ fields: (Int) -> [(String, [UInt8])]) -> [UInt8] {
        var out: [UInt8] = []
        for number in numbers {
            out += Array("__REALTIME_TIMESTAMP=\(1_700_000_000_000_000 + number)\n".utf8)
            out += Array(
                "__MONOTONIC_TIMESTAMP=\(1_000_000 + number)\n_BOOT_ID=0123456789abcdef0123456789abcdef\n".utf8
            )
            for (name, value) in [("SEQ", Array("\(number)".utf8))] + fields(number) {
                if value.contains(where: { $0 < 0x20 || $0 >= 0x7f }) {
                    out += Array(name.utf8) + [Lines.feed]
                    out += (0..<8).map { UInt8(truncatingIfNeeded: value.count >> (8 * $0)) } + value + [Lines.feed]
                } else {
                    out += Array(name.utf8) + [UInt8(ascii: "=")] + value + [Lines.feed]
                }
            }
            out.append(Lines.feed)
        }
        return out
    }

    private static func make(_ path: String, _ entries: [UInt8]) throws {
        let outcome = try ChildProgram.run([writer, "-o", path, "-"], input: entries, limit: 60)
        #expect(outcome.status == 0)
    }

    private func options(_ paths: String...) -> JournalOptions {
        var options = JournalOptions()
        options.paths = paths
        return options
    }

    private func sequence(_ lines: [String]) -> [Int] {
        lines.compactMap { line in
            line.firstRange(of: #""SEQ":""#).flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
        }
    }

    @Test("values of any bytes, of any size, several of one field: all come back")
    func values() throws {
        let fixture = try SourceFixture()
        let large = [UInt8](repeating: UInt8(ascii: "m"), count: 1 << 20)
        try Self.make(
            fixture.folder.path + "/a.journal",
            Self.export(0..<1) { _ in
                [
                    ("MESSAGE", Array("two\nlines".utf8)), ("BIN", [0, 0xff]), ("LARGE", large), ("F", [0x61]),
                    ("F", [0x62]),
                ]
            }
        )
        #expect(try fixture.importing(.journal(options(fixture.folder.path + "/a.journal"))) == 1)
        let line = try fixture.lines()[0]
        for part in [
            #""GUESTLOG_TIME":"2023-11-14T22:13:20.000000000Z""#, #""MESSAGE":"two\nlines""#, #""BIN":[0,255]"#,
            #""F":["a","b"]"#, #""LARGE":"\#(String(decoding: large, as: UTF8.self))""#,
        ] {
            #expect(line.contains(part), "\(part.prefix(50))")
        }
    }

    @Test("conditions: fields are required together, values of one and conditions are alternatives")
    func matches() throws {
        let fixture = try SourceFixture()
        try Self.make(
            fixture.folder.path + "/a.journal",
            Self.export(0..<30) { [("A", Array("\($0 % 3)".utf8)), ("B", Array("\($0 % 2)".utf8))] }
        )
        var options = options(fixture.folder.path)
        options.matches = [JournalMatch(["A=0", "B=0"]), JournalMatch(["A=1", "A=2", "B=1"])]
        #expect(try fixture.importing(.journal(options)) == 15)
        let wanted = (0..<30).filter { $0 % 3 == 0 && $0 % 2 == 0 || $0 % 3 != 0 && $0 % 2 == 1 }
        #expect(try sequence(fixture.lines()) == wanted)
    }

    @Test("reading begins at the end, where no entry matches: every matching entry that comes is read")
    func emptyEnd() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.journal"
        try Self.make(path, Self.export(0..<3) { _ in [("A", Array("0".utf8))] })
        var options = options(fixture.folder.path)
        options.matches = [JournalMatch(["A=1"])]
        options.readsFromHead = false
        let reader = try JournalAccess.open(options, after: nil) { _ in }
        let interruption = try Interruption()
        interruption.raise()
        var record = RecordBuffer()
        #expect(try reader.next(&record) == nil)
        #expect(reader.startCursor == "")
        // From here on it is told of changes.
        reader.wait(interruption, within: 0)
        try Self.make(path, Self.export(3..<6) { _ in [("A", Array("1".utf8))] })
        var count = 0
        #expect(
            try eventually {
                reader.wait(interruption, within: 0)
                while try reader.next(&record) != nil {
                    count += 1
                }
                return count == 3
            }
        )
    }

    @Test("reading goes on after the last entry, also in another file; each entry is stored once")
    func resume() throws {
        let fixture = try SourceFixture()
        let folder = fixture.folder.path
        try Self.make(folder + "/a.journal", Self.export(0..<500) { _ in [] })
        #expect(try fixture.importing(.journal(options(folder))) == 500)
        try fixture.restart()
        #expect(try fixture.importing(.journal(options(folder))) == 0)
        try Self.make(folder + "/b.journal", Self.export(500..<900) { _ in [] })
        #expect(try fixture.importing(.journal(options(folder))) == 400)
        #expect(try sequence(fixture.lines()) == Array(0..<900))
    }

    @Test("when the file with the last entry is gone, reading goes on with what was written later")
    func lostCursor() throws {
        let fixture = try SourceFixture()
        let folder = fixture.folder.path
        try Self.make(folder + "/a.journal", Self.export(0..<100) { _ in [] })
        #expect(try fixture.importing(.journal(options(folder))) == 100)
        unlink(folder + "/a.journal")
        try Self.make(folder + "/b.journal", Self.export(100..<150) { _ in [] })
        #expect(try fixture.importing(.journal(options(folder))) == 50)
        #expect(try sequence(fixture.lines()) == Array(0..<150))
    }

    @Test("a truncated or damaged file does not keep the others from being read, and is read to its last intact entry")
    func damage() throws {
        let fixture = try SourceFixture()
        let folder = fixture.folder.path
        let text = Array(String(repeating: "some text ", count: 20).utf8)
        try Self.make(folder + "/a.journal", Self.export(0..<3000) { _ in [("MESSAGE", text)] })
        try Self.make(folder + "/b.journal", Self.export(5000..<5100) { _ in [] })
        let file = open(folder + "/a.journal", O_RDWR)
        var garbage = [UInt8](repeating: 0xee, count: 5000)
        pwrite(file, &garbage, garbage.count, 600_000)
        close(file)
        try Self.make(folder + "/c.journal", Self.export(6000..<7000) { _ in [("MESSAGE", text)] })
        truncate(folder + "/c.journal", 100_000)
        let count = try fixture.importing(.journal(options(folder)))
        let read = try sequence(fixture.lines())
        #expect(count == read.count && Set(read).count == read.count)
        #expect(Set(read).isSuperset(of: 5000..<5100))
        #expect(read.filter { $0 < 3000 }.count > 1000)
    }

    @Test("pieces of a line that journald has divided become one record")
    func dividedLines() throws {
        let fixture = try SourceFixture()
        let pieces: [(String, String, Bool)] = [
            ("1", "first ", true), ("2", "other", false), ("1", "second ", true), ("1", "third", false),
            ("3", "open", true),
        ]
        let entries = Self.export(0..<5) { number in
            let (stream, text, isDivided) = pieces[number]
            return [("_STREAM_ID", Array(stream.utf8)), ("MESSAGE", Array(text.utf8))]
                + (isDivided ? [("_LINE_BREAK", Array("line-max".utf8))] : [])
        }
        try Self.make(fixture.folder.path + "/a.journal", entries)
        #expect(try fixture.importing(.journal(options(fixture.folder.path))) == 2)
        let lines = try fixture.lines()
        #expect(lines[0].contains(#""MESSAGE":"other""#) && lines[1].contains(#""MESSAGE":"first second third""#))
        // The open line's pieces are read again, and nothing else.
        try Self.make(
            fixture.folder.path + "/b.journal",
            Self.export(5..<6) { _ in [("_STREAM_ID", [0x33]), ("MESSAGE", Array(" end".utf8))] }
        )
        #expect(try fixture.importing(.journal(options(fixture.folder.path))) == 1)
        #expect(try fixture.lines().last?.contains(#""MESSAGE":"open end""#) == true)
    }

    @Test("what cannot be opened is named, with the remedy")
    func missing() throws {
        let fixture = try SourceFixture()
        #expect(throws: SystemError.self) { try fixture.importing(.journal(options("/no/such/journal"))) }
        let problem = JournalAccess.problem(["/no/such/journal"])
        #expect(problem?.contains("/no/such/journal") == true && problem?.contains("journald") == true)
    }
}
