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

/// Journals whose entries a test determines, read by one process after another.
@Suite(.blocking) struct JournalInputTests {
    /// Entries in memory; the cursor of each is its number.
    private final class Journal {
        var entries: [(number: Int, fields: [(String, String)])] = []
        var skipped = 0
        var warnings: [String] = []

        func open(after cursor: String?, fromHead: Bool) -> any JournalEntries {
            let end: String = entries.last.map { "\($0.number)" } ?? ""
            let start = cursor ?? (fromHead ? nil : end)
            let number = start.flatMap { Int($0) }
            let opened = Opened(self, number: number ?? -1)
            opened.startCursor = cursor == nil ? start : nil
            opened.isComplete = cursor?.isEmpty ?? true || entries.contains { $0.number == number }
            return opened
        }
    }

    private final class Opened: JournalEntries {
        private let journal: Journal
        private var number: Int
        var isComplete = true
        var startCursor: String?
        var skipped: Int { journal.skipped }

        init(_ journal: Journal, number: Int) {
            self.journal = journal
            self.number = number
        }

        func next(_ record: inout RecordBuffer) -> String? {
            guard let entry = journal.entries.first(where: { $0.number > number }) else {
                return nil
            }
            number = entry.number
            record.removeAll()
            for (name, value) in entry.fields {
                record.set(Array(name.utf8), value.utf8, .text)
            }
            return "\(number)"
        }

        func wait(_ interruption: Interruption, within microseconds: Int64) {}
    }

    private let fixture: SourceFixture
    private let journal = Journal()
    private let own = ServiceIdentity(unit: "guestlog.service", program: "/usr/bin/guestlog")

    init() throws {
        fixture = try SourceFixture()
    }

    private func write(_ number: Int, _ fields: (String, String)...) {
        write(number, fields)
    }

    private func write(_ number: Int, _ fields: [(String, String)]) {
        journal.entries.append((number, [("MESSAGE", "entry \(number)")] + fields))
    }

    /// Reads as a process of its own until `isDone`, and dies.
    private func read(fromHead: Bool = true, until isDone: () throws -> Bool) throws {
        var options = JournalOptions()
        options.readsFromHead = fromHead
        var source = SourceFixture.source()
        source.kind = .journal(options)
        let warn = { [journal] in journal.warnings.append($0) }
        let input = JournalInput(follows: true, own: own, warn: warn) { [journal] cursor in
            journal.open(after: cursor, fromHead: fromHead)
        }
        try fixture.read(source, input, until: isDone)
        try fixture.restart()
    }

    private var mark: ReadPosition? {
        get throws {
            try SourceMark("test", store: fixture.folder.path + "/store", on: LinuxFileSystem()).read()
        }
    }

    /// Reads until the mark is of what there is now and fulfils the condition, then what `more` writes, until `isDone`;
    /// dies before its next mark.
    private func read(
        fromHead: Bool = true,
        untilMarked isMarked: (ReadPosition) throws -> Bool,
        thenWrite more: () -> Void,
        until isDone: () throws -> Bool
    ) throws {
        var old: ReadPosition?
        try read(fromHead: fromHead) {
            if old == nil {
                guard let mark = try mark, try isMarked(mark) else {
                    return false
                }
                old = mark
                more()
            }
            return try isDone()
        }
        let marks = SourceMark("test", store: fixture.folder.path + "/store", on: LinuxFileSystem())
        #expect(try marks.write(try #require(old), isUrgent: true))
    }

    private static let part = [("_STREAM_ID", "s"), ("_LINE_BREAK", "line-max")]

    private func numbers() throws -> [Int] {
        try fixture.lines().compactMap { line in
            try JSON(parsing: line.utf8)["MESSAGE"]?.text?.split(separator: " ").last.flatMap { Int($0) }
        }
    }

    @Test("an empty journal that is read from its end: what is written while nothing reads is stored")
    func emptyEnd() throws {
        let mark = SourceMark("test", store: fixture.folder.path + "/store", on: LinuxFileSystem())
        try read(fromHead: false) { try mark.read() != nil }
        write(1)
        try read(fromHead: false) { try numbers() == [1] }
        write(2)
        try read(fromHead: false) { try numbers() == [1, 2] }
    }

    @Test("entries of this process are left out, and those that follow keep their numbers in the next process")
    func ownProcess() throws {
        write(1)
        try read { try numbers() == [1] }
        write(2, ("_PID", "\(getpid())"))
        write(3, ("_PID", "\(getpid())"))
        write(4)
        try read { try numbers() == [1, 4] }
        for index in journal.entries.indices where journal.entries[index].fields.count > 1 {
            journal.entries[index].fields[1].1 = "1"
        }
        write(5)
        try read { try numbers().last == 5 }
        #expect(try numbers() == [1, 4, 5])
    }

    @Test("entries of the service's earlier processes are left out, and no others")
    func ownService() throws {
        let program = ("_EXE", "/usr/bin/guestlog")
        write(1, ("_PID", "1"), program, ("_SYSTEMD_UNIT", "guestlog.service"))
        write(2, ("_PID", "1"), program, ("_SYSTEMD_UNIT", "virtlogd.service"))
        write(3, ("_PID", "1"), ("_EXE", "/usr/bin/other"), ("_SYSTEMD_UNIT", "guestlog.service"))
        try read { try numbers().last == 3 }
        #expect(try numbers() == [2, 3])
    }

    @Test("entries of the service between the parts of a divided line move no number of those that are read again")
    func ownBetweenParts() throws {
        write(1, Self.part)
        write(2, ("_PID", "\(getpid())"))
        write(3)
        try read(
            untilMarked: { _ in try numbers() == [3] },
            thenWrite: { write(4) },
            until: { try numbers().last == 4 }
        )
        write(5)
        try read { try numbers().last == 5 }
        #expect(try numbers() == [3, 4, 5])
    }

    @Test("entries of the service that a mark counts move no number of those that are read again")
    func ownBeforeMark() throws {
        write(1)
        var first: UInt64?
        try read(
            untilMarked: { mark in
                guard let first else {
                    first = mark.number
                    write(2, ("_PID", "\(getpid())"))
                    write(3, ("_PID", "\(getpid())"))
                    return false
                }
                return mark.number >= first + 2 * ReadPosition.step
            },
            thenWrite: { write(4) },
            until: { try numbers().last == 4 }
        )
        write(5)
        try read { try numbers().last == 5 }
        #expect(try numbers() == [1, 4, 5])
    }

    @Test("a divided line that is the first entry after the end does not make the position the head")
    func partAfterEnd() throws {
        write(1)
        try read(fromHead: false) {
            if journal.entries.count == 1 {
                write(2, Self.part)
                write(3)
            }
            return try numbers() == [3] && mark?.resume.prefix(4).last == 1
        }
        write(4)
        try read(fromHead: false) { try numbers().last == 4 }
        #expect(try numbers() == [3, 4])
    }

    @Test("entries that cannot be read are reported each time that there are twice as many")
    func skipped() throws {
        try read {
            journal.skipped += 1
            return journal.skipped > 7
        }
        #expect(journal.warnings.count == 3)
        #expect(journal.warnings.last?.contains("4 entries of the journal could not be read") == true)
        #expect(journal.warnings.last?.hasSuffix("journalctl --verify names damaged files") == true)
    }

    @Test(
        "a journal of which no file can be read is a problem, with the remedy, though its folders can be read",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func unreadable() throws {
        let folder = TemporaryFolder()
        let machine = folder.path + "/0123456789abcdef0123456789abcdef"
        mkdir(folder.path + "/own", 0o755)
        chown(folder.path + "/own", 65534, 65534)
        mkdir(machine, 0o755)
        for path in [folder.path, machine] {
            chmod(path, 0o755)
        }
        let owner = FileOwner(of: folder.path + "/own")
        var problems: [String?] = []
        func note() {
            FileOwner.perform(as: owner) {
                problems += [folder.path, machine, machine + "/system.journal"].map { JournalAccess.problem([$0]) }
            }
        }
        try LinuxFileSystem().replace("system.journal", in: machine, with: [1])
        // Without root's group, which the other user keeps where root's process is in it.
        chmod(machine + "/system.journal", 0o600)
        note()
        #expect(problems.count == 3)
        for problem in problems {
            #expect(problem?.contains(machine + "/system.journal cannot be read") == true, "\(problem ?? "none")")
            #expect(problem?.contains("SupplementaryGroups=systemd-journal") == true)
        }
        problems = []
        chmod(machine + "/system.journal", 0o644)
        note()
        #expect(problems == [nil, nil, nil])
    }

    @Test("the remedy for damaged entries is that of what is read")
    func remedies() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/a.export"
        try LinuxFileSystem().replace("a.export", in: folder.path, with: Array("__CURSOR=a\nMESSAGE=x\n\n".utf8))
        let export = try JournalExportFile(path, after: nil)
        #expect(export.remedyForSkipped == "\(path) is damaged: write it again with journalctl -o export")
        let check = JournalAccess.check(of: [folder.path, path])
        #expect(check == "journalctl --verify --directory=\(folder.path) --file=\(path) names damaged files")
    }

    @Test("when a position is gone nothing is skipped after it")
    func removedPosition() throws {
        write(1)
        write(2, Self.part)
        write(3)
        try read { try numbers() == [1, 3] && mark?.resume.prefix(4).last == 1 }
        journal.entries = []
        write(5)
        write(6)
        try read { try numbers().last == 6 }
        #expect(try numbers() == [1, 3, 5, 6])
    }

    @Test("entries that were removed before they were read are a gap")
    func removed() throws {
        write(1)
        try read { try numbers() == [1] }
        journal.entries = []
        write(4)
        try read { try numbers().last == 4 }
        #expect(try numbers() == [1, 4])
        #expect(try fixture.gapCount(of: "host") == 1)
    }

    @Test("what comes after the source's first start is stored once, though it dies before its next mark")
    func fromEnd() throws {
        write(1)
        try read(fromHead: false) {
            if journal.entries.count == 1 {
                write(2)
            }
            return try numbers() == [2]
        }
        write(3)
        try read(fromHead: false) { try numbers().last == 3 }
        #expect(try numbers() == [2, 3])
    }

    @Test("nothing is dropped when a source that begins at the end of an empty journal has no mark")
    func fromEndOfNothing() throws {
        try read(fromHead: false) {
            if journal.entries.isEmpty {
                write(1)
                write(2)
            }
            return try numbers() == [1, 2]
        }
        let mark = fixture.folder.path + "/store/sources/test.position"
        unlink(mark)
        write(3)
        try read(fromHead: false) {
            if journal.entries.count == 3 {
                write(4)
            }
            return try numbers().last == 4
        }
        #expect(try numbers() == [1, 2, 4])
    }
}
