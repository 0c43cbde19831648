// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import NIOConcurrencyHelpers
import SystemIO
import TestServers
import TestSupport
import TestTraits
import Testing

@testable import Outputs

private func lines(_ range: Range<Int>) -> [String] { range.map { "line \($0)" } }

@Suite(.limited) struct PositionTests {
    @Test("replay only goes back: what was not delivered yet is not passed over, whatever the time")
    func replayBehind() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let isUp = NIOLockedValueBox(true)
        let server = try StandInServer { request in
            isUp.withLockedValue { $0 } ? index.take(request) : .status(503, headers: [("Retry-After", "3600")])
        }
        let service = try fixture.start(.elasticsearch(server.url))
        try fixture.append("line 0\n")
        #expect(await awaits { index.messages == lines(0..<1) })
        isUp.withLockedValue { $0 = false }
        try fixture.append("line 1\nline 2\n")
        // The output has never delivered anything of it.
        try fixture.append("line 3\n", vm: "db")
        #expect(await awaits { await service.statuses()[0].problem != nil })
        let behind = await service.statuses()[0].behind
        // The fixture's times are those of 2025.
        for since in [SystemClock().wallMicroseconds(), 4_102_444_800_000_000, 1_763_658_005_003_000] {
            try await service.replay("test", since: Timestamp(microseconds: since))
            #expect(await service.statuses()[0].behind == behind)
        }
        isUp.withLockedValue { $0 = true }
        try await service.replay("test", since: Timestamp(microseconds: 4_102_444_800_000_000))
        #expect(await awaits { index.messages.count == 4 })
        #expect(index.messages.filter { $0 != "line 3" } == lines(0..<3) && index.messages.contains("line 3"))
        #expect(index.repeats == 0)
        try await service.replay("test", since: .distantPast)
        #expect(await awaits { index.repeats == 4 })
    }

    @Test("streams that a change of vms or streams adds begin with what comes, those that came since are read in full")
    func widened() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let second = StreamName("console1")!
        try fixture.append("old of db\n", vm: "db")
        try fixture.append("old of console1\n", second)
        try fixture.append("old of web\n")
        var settings = OutputSettings.elasticsearch(server.url)
        settings.startsAtBeginning = false
        settings.vms = VMPattern(["web", "new"])
        settings.streams = [.console0]
        let first = try fixture.start(settings)
        #expect(await awaits { await first.statuses()[0].behind == 0 })
        try fixture.append("line 0\n")
        #expect(await awaits { index.messages == lines(0..<1) })
        try await fixture.stop(first)
        try fixture.append("line 1\n")
        try fixture.append("line 2\n", vm: "new")
        settings.vms = .all
        settings.streams = nil
        let wide = try fixture.start(settings)
        #expect(await awaits { index.messages.count == 3 })
        #expect(Set(index.messages) == Set(lines(0..<3)))
        #expect(await awaits { await wide.statuses()[0].behind == 0 })
        try fixture.append("line 3\n", vm: "db")
        try fixture.append("line 4\n", second)
        try fixture.append("line 5\n", vm: "newer", second)
        #expect(await awaits { index.messages.count == 6 })
        try await fixture.stop(wide)
        // What was selected before continues where it was.
        settings.vms = VMPattern(["web"])
        try await fixture.stop(fixture.start(settings))
        try fixture.append("line 6\n", vm: "db")
        settings.vms = .all
        try fixture.start(settings)
        #expect(await awaits { index.messages.count == 7 })
        #expect(Set(index.messages) == Set(lines(0..<7)))
    }
}

@Suite struct OutputStateTests {
    @Test("positions are read as they were written")
    func roundTrip() {
        let progress = [
            StreamID(vm: "web", stream: .console0): StreamProgress(
                cursor: Cursor(offset: 7, markers: 2),
                time: RisingTime(after: 99)
            ),
            StreamID(vm: "%41b=1", stream: .console0): StreamProgress(cursor: .start),
        ]
        let scopes = [
            nil, OutputScope(), OutputScope(vms: VMPattern(["lab/db-*", "web \"1\""]), streams: [.console0]),
            OutputScope(vms: VMPattern([]), streams: []),
        ]
        for scope in scopes {
            guard case .progress(let read, let found) = OutputState.parse(OutputState.text(of: progress, scope)) else {
                Issue.record("not read")
                return
            }
            #expect(read == progress && found == scope)
        }
    }

    @Test("the file of an earlier version, which has no scope, is read")
    func earlier() {
        let file = "guestlog-output 1\nweb/console0 7.2 99\ncrc32c b996734\n"
        guard case .progress(let read, let scope) = OutputState.parse(Array(file.utf8)) else {
            Issue.record("not read")
            return
        }
        #expect(
            read == [
                StreamID(vm: "web", stream: .console0): StreamProgress(
                    cursor: Cursor(offset: 7, markers: 2),
                    time: RisingTime(after: 99)
                )
            ]
        )
        #expect(scope == nil)
    }

    @Test("a file that is too long, or another kind of file in its place, is not used, and is replaced")
    func unreadable() throws {
        let folder = TemporaryFolder()
        let name = try #require(StreamName("loki"))
        let state = OutputState(folder: folder.path, name: name, fileSystem: LinuxFileSystem())
        let progress = [StreamID(vm: "web", stream: .console0): StreamProgress(cursor: Cursor(offset: 7))]
        let obstacles: [(String) -> Int32] = [
            { close(creat($0, 0o600)) + truncate($0, 1 << 40) }, { mkdir($0, 0o700) }, { mkfifo($0, 0o600) },
        ]
        for obstruct in obstacles {
            #expect(obstruct(state.path) == 0)
            guard case .damaged = try state.load() else {
                Issue.record("not damaged")
                return
            }
            try state.save(progress, OutputScope())
            guard case .progress(progress, _) = try state.load() else {
                Issue.record("not saved")
                return
            }
            unlink(state.path)
        }
    }

    @Test("a file that was cut or changed anywhere is not used")
    func damage() {
        let stream = StreamID(vm: "web", stream: .console0)
        let progress = [stream: StreamProgress(cursor: Cursor(offset: 12), time: RisingTime(after: 5))]
        let text = OutputState.text(of: progress, OutputScope())
        func isDamaged(_ bytes: [UInt8]) -> Bool {
            if case .damaged = OutputState.parse(bytes) { true } else { false }
        }
        for count in 0..<text.count - 1 {
            #expect(isDamaged(Array(text[..<count])), "cut at \(count)")
        }
        for index in 0..<text.count - 1 {
            var changed = text
            changed[index] ^= 1
            #expect(isDamaged(changed), "changed at \(index)")
        }
    }
}
