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
}
