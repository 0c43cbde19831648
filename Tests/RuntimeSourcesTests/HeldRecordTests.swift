// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile
import SystemIO
import Synchronization
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import RuntimeSources

/// Records that wait for a continuation which does not come.
@Suite(.blocking) struct HeldRecordTests {
    private final class Clock: HostClock {
        private let now = Mutex<Int64>(1_000_000_000)

        func wallMicroseconds() -> Int64 { 1_700_000_000_000_000 }
        func monotonicMicroseconds() -> Int64 { now.withLock { $0 } }
        func advance(by microseconds: Int64) { now.withLock { $0 += microseconds } }
    }

    @Test(
        "after a pause a record without its end is stored, and not joined with what comes later",
        arguments: [
            (
                RecordFormat.cri, "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stdout P panic\n",
                "2026-01-01T00:00:02Z stdout F two\n", "message"
            ),
            (
                .docker,
                #"{"log":"one\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"# + "\n"
                    + #"{"log":"panic","stream":"stdout","time":"2026-01-01T00:00:01Z"}"# + "\n",
                #"{"log":"two\n","stream":"stdout","time":"2026-01-01T00:00:02Z"}"# + "\n", "message"
            ),
            (.kata, "level=info msg=one\ntime=2026-01-01T00:00:01Z msg=\"panic\n", "msg=two\n", "msg"),
        ]
    )
    func pause(_ format: RecordFormat, _ first: String, _ later: String, _ name: String) throws {
        let fixture = try SourceFixture()
        var source = SourceFixture.source("files")
        let path = try fixture.write(first, "a.log")
        source.kind = .files(path: path, format, readsFromHead: true)
        let clock = Clock()
        func run(until isDone: () throws -> Bool) throws {
            let input = FileInput(
                path,
                format,
                trustedFolder: nil,
                names: nil,
                readsFromHead: true,
                buffer: FollowBuffer(),
                clock: clock
            )
            try fixture.read(source, input, until: isDone)
        }
        func messages() throws -> [String] {
            try fixture.lines().compactMap { try JSON(parsing: $0.utf8)[name]?.text }
        }
        try run { try messages() == ["one"] }
        try run {
            clock.advance(by: FileInput.holdTime)
            return try messages() == ["one", "panic"]
        }
        _ = try fixture.write(first + later, "a.log")
        try fixture.restart()
        try run { try messages().count == 3 }
        #expect(try messages() == ["one", "panic", "two"])
    }

    @Test(
        "what was passed on after a pause stays apart from what follows, wherever the process was killed",
        arguments: [0, 1, 2],
        [
            (
                RecordFormat.kata, "level=info msg=one sandbox=s\ntime=2026-01-01T00:00:01Z sandbox=s msg=\"panic\n",
                "msg=two sandbox=s\n", ["one", "panic", "two"]
            ),
            (
                .cri,
                "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stdout P a\n2026-01-01T00:00:01Z stderr P bb\n"
                    + "2026-01-01T00:00:01Z stdout P c\n",
                "2026-01-01T00:00:02Z stderr F two\n2026-01-01T00:00:02Z stdout F three\n",
                ["one", "bb", "ac", "two", "three"]
            ),
        ]
    )
    func killed(_ marks: Int, _ sample: (format: RecordFormat, first: String, later: String, words: [String])) throws {
        let fileSystem = FaultyFileSystem()
        let fixture = try SourceFixture(fileSystem: fileSystem)
        let path = try fixture.write(sample.first, "a.log")
        var source = SourceFixture.source("files")
        source.kind = .files(path: path, sample.format, readsFromHead: true)
        let clock = Clock()
        func makeRun() throws -> SourceRun {
            let input = FileInput(
                path,
                sample.format,
                trustedFolder: nil,
                names: nil,
                readsFromHead: true,
                buffer: FollowBuffer(),
                clock: clock
            )
            let run = SourceRun(
                source,
                input,
                pipeline: Pipeline(),
                into: fixture.capture,
                interruption: try Interruption()
            )
            try run.begin()
            return run
        }
        func texts() throws -> [String] {
            let lines = try fixture.lines(of: "s") + fixture.lines()
            return try lines.compactMap { line in
                let record = try JSON(parsing: line.utf8)
                return (record["message"] ?? record["msg"])?.text
            }
        }
        let first = try makeRun()
        #expect(
            try eventually {
                _ = try first.step()
                return try texts() == ["one"] && first.restTime == FileInput.holdTime
            }
        )
        // From here on the process has no effect but what it commits, and so many marks.
        fileSystem.refuseFiles(in: "sources", after: marks)
        clock.advance(by: FileInput.holdTime)
        _ = try? first.step()
        fileSystem.refuseFiles(in: "sources", after: 0)
        first.close()
        fileSystem.refuseFiles(in: "sources", after: nil)
        _ = try fixture.write(sample.first + sample.later, "a.log")
        try fixture.restart()
        let second = try makeRun()
        defer { second.close() }
        #expect(
            try eventually {
                _ = try second.step()
                clock.advance(by: FileInput.holdTime)
                return try texts().contains { $0.contains(sample.words.last ?? "") }
            }
        )
        let found = try texts()
        for word in sample.words {
            #expect(found.count { $0.contains(word) } == 1, "\(word) in \(found)")
        }
        #expect(marks == 0 || found.count == sample.words.count, "\(found)")
    }
}
