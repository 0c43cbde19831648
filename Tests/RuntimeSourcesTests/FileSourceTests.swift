// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import RuntimeSources

@Suite(.blocking) struct FileSourceTests {
    private func source(_ path: String, _ format: RecordFormat = .text, fromHead: Bool = true) -> SourceDefinition {
        var source = SourceFixture.source("files")
        source.kind = .files(path: path, format, readsFromHead: fromHead)
        return source
    }

    private func append(_ text: String, to path: String) {
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o644)
        let bytes = Array(text.utf8)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    private func messages(_ fixture: SourceFixture) throws -> [String] {
        try fixture.lines().compactMap { try JSON(parsing: $0.utf8)["message"]?.text }
    }

    @Test(
        "lines are read as they come, through rotation and restarts, each once; an unfinished line when it is complete"
    )
    func rotation() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        append("one\ntwo\npart", to: path)
        var service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture) == ["one", "two"] })
        append("ial\n", to: path)
        #expect(try eventually { try messages(fixture).last == "partial" })
        rename(path, path + ".1")
        append("late\n", to: path + ".1")
        append("three\n", to: path)
        #expect(try eventually { try messages(fixture).suffix(2) == ["late", "three"] })
        service.stop()
        append("four\n", to: path)
        rename(path, path + ".2")
        rename(path + ".1", path + ".3")
        append("five\n", to: path)
        try fixture.restart()
        service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture).last == "five" })
        service.stop()
        #expect(try messages(fixture) == ["one", "two", "partial", "late", "three", "four", "five"])
    }

    @Test(
        "a file, or the folder of a pattern, that does not exist is reported until it does",
        arguments: ["b.log", "b*.log"]
    )
    func absent(name: String) throws {
        let fixture = try SourceFixture()
        let folder = fixture.folder.path + "/absent"
        let service = try SourceService([source(folder + "/" + name)], pipeline: Pipeline(), into: fixture.capture)
        #expect(
            eventually {
                fixture.capture.problems.all.contains {
                    $0.subject == "source files" && $0.problem.hasPrefix("waits for \(folder)/\(name)")
                        && $0.problem.hasSuffix("does not exist")
                }
            }
        )
        mkdir(folder, 0o755)
        append("one\n", to: folder + "/b.log")
        let store = fixture.capture.store
        #expect(
            try eventually {
                let streams = try store.vm(in: "host") == nil ? [] : store.streams(of: "host")
                return try streams.contains { try StoredText(of: $0, in: store).bytes.contains(UInt8(ascii: "\n")) }
                    && fixture.capture.problems.all.isEmpty
            }
        )
        service.stop()
    }

    @Test("a file that is copied and truncated between two starts is read from the copy, then from its beginning")
    func copied() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        append("one\ntwo\n", to: path)
        var service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture) == ["one", "two"] })
        service.stop()
        append("three\n", to: path)
        append("one\ntwo\nthree\n", to: path + ".1")
        truncate(path, 0)
        append("four is longer than all before\n", to: path)
        try fixture.restart()
        service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture).last?.hasPrefix("four") == true })
        service.stop()
        #expect(try messages(fixture) == ["one", "two", "three", "four is longer than all before"])
    }

    @Test("a file that appears later, and one that is read from now on only")
    func beginnings() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/logs/a.log"
        let service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        mkdir(fixture.folder.path + "/logs", 0o755)
        append("first\n", to: path)
        #expect(try eventually { try messages(fixture) == ["first"] })
        service.stop()
        let other = try SourceFixture()
        let old = other.folder.path + "/b.log"
        append("old\n", to: old)
        let second = try SourceService([source(old, fromHead: false)], pipeline: Pipeline(), into: other.capture)
        // What is written before the source has begun is old too.
        #expect(
            try eventually {
                append("new\n", to: old)
                return try messages(other).contains("new")
            }
        )
        second.stop()
        #expect(try !messages(other).contains("old"))
    }

    @Test("records of several VMs are stored once when the file with the mark is gone; the loss is in each stream once")
    func markIsGone() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        var source = source(path, .json)
        source.vmFields = [Array("vm".utf8)]
        func run(until isDone: () throws -> Bool) throws {
            let input = FileInput(
                path,
                .json,
                trustedFolder: nil,
                names: nil,
                readsFromHead: true,
                buffer: FollowBuffer(),
                clock: SystemClock()
            )
            try fixture.read(source, input, until: isDone)
        }
        func numbers(_ vm: String) throws -> [String] {
            try fixture.lines(of: vm).compactMap { try JSON(parsing: $0.utf8)["n"]?.text }
        }
        append(#"{"vm":"x","n":"1"}"# + "\n" + #"{"vm":"y","n":"2"}"# + "\n", to: path)
        var isRotated = false
        try run {
            if try !isRotated && numbers("y") == ["2"] {
                isRotated = true
                rename(path, path + ".1")
                append(#"{"vm":"x","n":"3"}"# + "\n", to: path)
            }
            return try numbers("x") == ["1", "3"]
        }
        // Rotation removes the file in which the mark was at first, then the one that had the last record.
        for (gone, next) in [(path + ".1", "4"), (path, "5")] {
            unlink(gone)
            append(#"{"vm":"x","n":"\#(next)"}"# + "\n", to: path)
            append(#"{"vm":"y","n":"\#(next)"}"# + "\n", to: path)
            try fixture.restart()
            try run { try numbers("x").last == next && numbers("y").last == next }
        }
        #expect(try numbers("x") == ["1", "3", "4", "5"])
        #expect(try numbers("y") == ["2", "4", "5"])
        #expect(try fixture.gapCount(of: "x") == 1)
        #expect(try fixture.gapCount(of: "y") == 1)
    }

    /// A record of `vm`.
    private func line(_ vm: String, _ number: Int) -> String { #"{"vm":"\#(vm)","n":"\#(number)"}"# + "\n" }

    @Test("a VM whose stream another process writes keeps no other waiting: its records are in the source's VM")
    func lockedStream() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        var source = source(path, .json)
        source.vmFields = [Array("vm".utf8)]
        append(line("x", 1), to: path)
        var service = try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try fixture.lines(of: "x").count == 1 })
        service.stop()
        try fixture.restart()
        let lock = try StoredFile(fixture.folder.path + "/store/x/lock", .read, on: LinuxFileSystem())
        // Another test's child may have the lock for a moment, until it runs its program.
        #expect(eventually { lock.tryLock() })
        append(line("x", 2) + line("y", 3), to: path)
        service = try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        let second = String(line("x", 2).dropLast())
        #expect(
            try eventually { try fixture.lines(of: "y").count == 1 && fixture.lines(of: "host").last == second }
        )
        service.stop()
        #expect(try fixture.lines(of: "x").count == 1)
    }

    @Test("after an error between the records of a piece, reading begins again where the last committed one ended")
    func failingMark() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        var source = source(path, .json)
        source.vmFields = [Array("vm".utf8)]
        // No folder for marks can be made.
        let obstacle = try fixture.write("", "store/sources")
        append(line("x", 1) + line("x", 2), to: path)
        let service = try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        #expect(eventually { fixture.capture.problems.all.contains { $0.subject.contains("files") } })
        #expect(try fixture.lines(of: "x").isEmpty)
        unlink(obstacle)
        append(line("x", 3), to: path)
        #expect(try eventually { try fixture.lines(of: "x").count >= 3 })
        service.stop()
        #expect(try fixture.lines(of: "x").map { $0 + "\n" } == (1...3).map { line("x", $0) })
        #expect(fixture.capture.problems.all.isEmpty)
    }

    @Test("files that a pattern finds later are read from their first line, those found first from their end")
    func laterFiles() throws {
        let fixture = try SourceFixture()
        let old = fixture.folder.path + "/a.log"
        append("old\n", to: old)
        let source = source(fixture.folder.path + "/*.log", fromHead: false)
        let service = try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        func text(of path: String) throws -> String {
            let stream = StreamName("runtime-" + String(path.stableHash() & 0xffff_ffff, radix: 16))!
            let id = StreamID(vm: "host", stream: stream)
            return String(decoding: try StoredText(of: id, in: fixture.capture.store).bytes, as: UTF8.self)
        }
        #expect(
            try eventually {
                append("new\n", to: old)
                return try text(of: old).contains("new")
            }
        )
        let late = fixture.folder.path + "/b.log"
        append("first\n", to: late)
        #expect(try eventually { try text(of: late).contains("first") })
        service.stop()
        #expect(try !text(of: old).contains("old"))
    }

    @Test("a line without a time has the time of the record before it")
    func carriedTime() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        let first = "2026-01-01T00:00:00.000000000Z"
        append(#"time="2026-01-01T00:00:00Z" level=error msg=Exception"# + "\n" + "\tat com.example.Main\n", to: path)
        let service = try SourceService([source(path, .kata)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try fixture.lines().count == 2 })
        service.stop()
        let times = try fixture.lines().map { try JSON(parsing: $0.utf8)["GUESTLOG_TIME"]?.text }
        #expect(times == [first, first], "\(times)")
    }

    @Test("a link in a file's place is a problem that names the remedy, until a file is there")
    func link() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        append("elsewhere\n", to: fixture.folder.path + "/target")
        symlink(fixture.folder.path + "/target", path)
        let service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(eventually { fixture.capture.problems.all.contains { $0.problem.contains("links are not followed") } })
        unlink(path)
        append("here\n", to: path)
        #expect(try eventually { try messages(fixture) == ["here"] })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
        service.stop()
    }

    @Test("a half line at the end of a renamed file is a record of its own, also over a restart")
    func halfLine() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        append("one\nha", to: path)
        var service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture) == ["one"] })
        rename(path, path + ".1")
        append("two\nhalf", to: path)
        #expect(try eventually { try messages(fixture) == ["one", "ha", "two"] })
        service.stop()
        rename(path, path + ".2")
        rename(path + ".1", path + ".3")
        append("three\n", to: path)
        try fixture.restart()
        service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture).last == "three" })
        service.stop()
        #expect(try messages(fixture) == ["one", "ha", "two", "half", "three"])
    }

    @Test("a half line at the end of a copy continues in the truncated file")
    func halfLineOfCopy() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/a.log"
        append("one is a line\nha", to: path)
        let service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try messages(fixture) == ["one is a line"] })
        append("one is a line\nha", to: path + ".1")
        truncate(path, 0)
        append("lf\n", to: path)
        #expect(try eventually { try messages(fixture) == ["one is a line", "half"] })
        service.stop()
    }

    @Test("parts of a container's line over a rotation are joined")
    func joinedParts() throws {
        let fixture = try SourceFixture()
        let path = fixture.folder.path + "/c.log"
        append("2026-01-01T00:00:00Z stdout P one \n2026-01-01T00:00:00Z stderr F err\n", to: path)
        let input = FileInput(
            path,
            .cri,
            trustedFolder: nil,
            names: nil,
            readsFromHead: true,
            buffer: FollowBuffer(),
            // A part is not waited for longer than some seconds.
            clock: StoppedClock()
        )
        var isRotated = false
        try fixture.read(source(path, .cri), input) {
            let found = try messages(fixture)
            if !isRotated, found == ["err"] {
                isRotated = true
                rename(path, path + ".1")
                append("2026-01-01T00:00:01Z stdout F two\n", to: path)
            }
            return found == ["err", "one two"]
        }
    }

    @Test("files that match a pattern are streams of their own, without their rotated files")
    func patterns() throws {
        let fixture = try SourceFixture()
        for name in ["x.log", "y.log", "x.log.1"] {
            append(name + "\n", to: fixture.folder.path + "/" + name)
        }
        let pattern = source(fixture.folder.path + "/*.log*")
        let service = try SourceService([pattern], pipeline: Pipeline(), into: fixture.capture)
        let store = fixture.capture.store
        #expect(
            try eventually {
                let streams = try store.vm(in: "host") == nil ? [] : store.streams(of: "host")
                return streams.count == 2
            }
        )
        service.stop()
    }

    @Test("a file whose name only begins like another's is a log of its own")
    func commonBeginning() throws {
        let fixture = try SourceFixture()
        let folder = fixture.folder.path + "/logs"
        mkdir(folder, 0o755)
        let own = ["api", "api-worker", "api-2", "api.example.com"]
        // A compressed file is no log, whether its name is that of a rotated one or not.
        for name in own + ["api.1", "api-20261120", "api.gz", "old.log.xz"] {
            append(name + "\n", to: folder + "/" + name)
        }
        let service = try SourceService([source(folder + "/*")], pipeline: Pipeline(), into: fixture.capture)
        let store = fixture.capture.store
        func text(of name: String) throws -> String {
            let hash = String((folder + "/" + name).stableHash() & 0xffff_ffff, radix: 16)
            let id = StreamID(vm: "host", stream: StreamName("runtime-" + hash)!)
            return String(decoding: try StoredText(of: id, in: store).bytes, as: UTF8.self)
        }
        #expect(try eventually { try own.allSatisfy { try text(of: $0).contains("\"\($0)\"") } })
        #expect(try eventually { try text(of: "api").contains("\"api.1\"") })
        service.stop()
        #expect(try store.streams(of: "host").count == own.count)
    }
}
