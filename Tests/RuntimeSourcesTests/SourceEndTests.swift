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

/// Files that end or begin while a record is unfinished, or nothing reads them.
@Suite(.blocking) struct SourceEndTests {
    private let fixture: SourceFixture
    private let path: String

    init() throws {
        fixture = try SourceFixture()
        path = fixture.folder.path + "/a.log"
    }

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

    private func messages() throws -> [String] {
        try fixture.lines().compactMap { try JSON(parsing: $0.utf8)["message"]?.text }
    }

    @Test("an unfinished line of a file that is truncated is a record of its own before the gap")
    func truncated() throws {
        append(#"{"z":0}"# + "\n" + #"{"a":1"#, to: path)
        let service = try SourceService([source(path, .json)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try fixture.lines().count == 1 })
        truncate(path, 0)
        append(#"{"b":2}"# + "\n" + #"{"c":3}"# + "\n", to: path)
        #expect(try eventually { try fixture.lines().last == #"{"c":3}"# })
        service.stop()
        let lines = try fixture.lines()
        #expect(lines.count == 4 && lines[2] == #"{"b":2}"#, "\(lines)")
        #expect(lines[1].hasPrefix(#"{"a":1,"GUESTLOG_PARSE_ERROR""#), "\(lines)")
        #expect(try fixture.gapCount(of: "host") == 1)
    }

    @Test("an open part of a container's line is not joined with another file's first line")
    func openPart() throws {
        append("2026-01-01T00:00:00Z stderr F one\n2026-01-01T00:00:00Z stdout P cut\n", to: path)
        let service = try SourceService([source(path, .cri)], pipeline: Pipeline(), into: fixture.capture)
        // After a pause the open part is stored too.
        #expect(try eventually { try messages().first == "one" })
        truncate(path, 0)
        append("2026-01-01T00:00:01Z stdout F two\n", to: path)
        #expect(try eventually { try messages().last == "two" })
        service.stop()
        #expect(try messages() == ["one", "cut", "two"])
    }

    @Test("the last line of a source that goes is stored, with or without an end")
    func lastLine() throws {
        append("one\ntwo", to: path)
        let service = try SourceService([], pipeline: Pipeline(), into: fixture.capture, followsFiles: true)
        service.setFiles([source(path)])
        #expect(try eventually { try messages() == ["one"] })
        service.setFiles([])
        #expect(try eventually { try messages() == ["one", "two"] })
        service.stop()
    }

    /// The paths of the files in the folder that this process has open.
    private func openFiles() throws -> [String] {
        var paths: [String] = []
        try DirectoryHandle("/proc/self/fd").forEachName { name in
            var target = [UInt8](repeating: 0, count: 4096)
            let link = "/proc/self/fd/" + String(decoding: name, as: UTF8.self)
            let count = target.withUnsafeMutableBytes { readlink(link, $0.baseAddress!, $0.count) }
            paths.append(String(decoding: target.prefix(max(0, count)), as: UTF8.self))
        }
        return paths.filter { $0.hasPrefix(path) }
    }

    @Test("a file of a pattern that is deleted is read to its end and let go; one that comes in its place is read")
    func deleted() throws {
        append("one\ntwo", to: path)
        var source = source(fixture.folder.path + "/*.log")
        source.vmFields = []
        let service = try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        let stream = StreamName("runtime-" + String(path.stableHash() & 0xffff_ffff, radix: 16))!
        func text() throws -> String {
            let id = StreamID(vm: "host", stream: stream)
            return String(decoding: try StoredText(of: id, in: fixture.capture.store).bytes, as: UTF8.self)
        }
        #expect(try eventually { try text().contains("one") && !openFiles().isEmpty })
        unlink(path)
        #expect(try eventually { try openFiles().isEmpty })
        #expect(try eventually { try text().contains("two") })
        append("three\n", to: path)
        #expect(try eventually { try text().contains("three") })
        service.stop()
    }

    /// Reads the file in a run of its own, from its end at first.
    private func read(until isDone: () throws -> Bool) throws {
        let input = FileInput(
            path,
            .text,
            trustedFolder: nil,
            names: nil,
            readsFromHead: false,
            buffer: FollowBuffer(),
            clock: SystemClock()
        )
        try fixture.read(source(path, fromHead: false), input, until: isDone)
    }

    @Test("what is written while nothing reads is stored, also when nothing was read before", arguments: [true, false])
    func whileAway(exists: Bool) throws {
        if exists {
            append("old\n", to: path)
        }
        let mark = SourceMark("files", store: fixture.folder.path + "/store", on: LinuxFileSystem())
        try read { try mark.read() != nil }
        append("new\n", to: path)
        try fixture.restart()
        try read { try !messages().isEmpty }
        #expect(try messages() == ["new"])
    }

    @Test("a source that gets a pattern in place of a path reads what the files get from then on")
    func becomesPattern() throws {
        append("old\n", to: path)
        let mark = SourceMark("files", store: fixture.folder.path + "/store", on: LinuxFileSystem())
        var service = try SourceService([source(path)], pipeline: Pipeline(), into: fixture.capture)
        #expect(try eventually { try mark.read().map { $0.number > 0 } ?? false })
        service.stop()
        try fixture.restart()
        let other = fixture.folder.path + "/b.log"
        append("old\n", to: other)
        let pattern = source(fixture.folder.path + "/*.log", fromHead: false)
        service = try SourceService([pattern], pipeline: Pipeline(), into: fixture.capture)
        let stream = StreamName("runtime-" + String(other.stableHash() & 0xffff_ffff, radix: 16))!
        func text() throws -> String {
            let id = StreamID(vm: "host", stream: stream)
            return String(decoding: try StoredText(of: id, in: fixture.capture.store).bytes, as: UTF8.self)
        }
        #expect(
            try eventually {
                append("new\n", to: other)
                return try text().contains("new")
            }
        )
        service.stop()
        #expect(try !text().contains("old"))
    }

    @Test("a file of a pattern that comes while nothing reads is read from its first line")
    func newMatch() throws {
        append("old\n", to: path)
        let pattern = source(fixture.folder.path + "/*.log", fromHead: false)
        let store = fixture.folder.path + "/store"
        var service = try SourceService([pattern], pipeline: Pipeline(), into: fixture.capture)
        let names = ["files scan", "files " + path]
        #expect(
            try eventually {
                try names.allSatisfy { try SourceMark($0, store: store, on: LinuxFileSystem()).read() != nil }
            }
        )
        service.stop()
        try fixture.restart()
        let late = fixture.folder.path + "/b.log"
        append("first\n", to: late)
        append("new\n", to: path)
        service = try SourceService([pattern], pipeline: Pipeline(), into: fixture.capture)
        func text(of path: String) throws -> String {
            let stream = StreamName("runtime-" + String(path.stableHash() & 0xffff_ffff, radix: 16))!
            let id = StreamID(vm: "host", stream: stream)
            return String(decoding: try StoredText(of: id, in: fixture.capture.store).bytes, as: UTF8.self)
        }
        #expect(try eventually { try text(of: late).contains("first") && text(of: path).contains("new") })
        service.stop()
        #expect(try !text(of: path).contains("old"))
    }
}
