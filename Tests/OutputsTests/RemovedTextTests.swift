// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import NIOConcurrencyHelpers
import SystemIO
import TestServers
import TestSupport
import TestTraits
import Testing

@testable import Outputs

/// What the store removes before it is delivered is told as a loss.
@Suite(.limited) struct RemovedTextTests {
    private static let lost = "removed by retention"

    private func savedState(_ fixture: OutputFixture) -> String {
        let bytes = (try? LinuxFileSystem().contents(of: fixture.store.root + "/outputs/test.state")).flatMap { $0 }
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    /// A fixture whose VMs are removed after any file was written.
    private func laterFixture() -> OutputFixture {
        OutputFixture(now: SystemClock().now.advanced(byMicroseconds: 3_600_000_000))
    }

    @Test("the rest of a VM that was removed while the daemon was down is one record with its size, sent once")
    func rest() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("line 0\n")
        let first = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { savedState(fixture).contains("web/console0 7.0 ") })
        try await fixture.stop(first)
        try fixture.append("line 1\nline 2\n")
        try fixture.remove()
        let second = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == ["line 0", "14 bytes lost: \(Self.lost)"] })
        #expect(await awaits { await second.statuses()[0].counters.gapBytes == 14 })
        #expect(await second.statuses()[0].counters.gaps == 1)
        #expect(await awaits { !savedState(fixture).contains("web/") })
        try await fixture.stop(second)
        try fixture.append("other\n", vm: "db")
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.last == "other" })
        #expect(index.messages.count == 3 && index.repeats == 0)
    }

    @Test("a VM that was removed before anything of it was delivered is told too")
    func whole() async throws {
        let fixture = laterFixture()
        let index = StandInIndex()
        let isUp = NIOLockedValueBox(false)
        let server = try StandInServer { request in
            isUp.withLockedValue { $0 } ? index.take(request) : .status(503)
        }
        try fixture.append("line 0\n")
        let first = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { !server.requests.isEmpty })
        try await fixture.stop(first)
        try fixture.remove()
        isUp.withLockedValue { $0 = true }
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == ["7 bytes lost: \(Self.lost)"] })
    }

    @Test("a VM that was delivered before it was removed is no loss, also after a restart", arguments: [true, false])
    func delivered(isDown: Bool) async throws {
        let fixture = laterFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("line 0\nline 1\n")
        var service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { savedState(fixture).contains("web/console0 14.0 ") })
        if isDown {
            try await fixture.stop(service)
        }
        try fixture.remove()
        try fixture.append("other\n", vm: "db")
        if isDown {
            service = try fixture.start(.elasticsearch(server.url))
        }
        #expect(await awaits { savedState(fixture).contains("db/") })
        try await fixture.stop(service)
        // The removal is later than what was saved.
        try fixture.start(.elasticsearch(server.url))
        try fixture.append("last\n", vm: "db")
        #expect(await awaits { index.messages.last == "last" })
        #expect(index.messages == ["line 0", "line 1", "other", "last"])
    }

    @Test("only the VMs and streams of an output are told")
    func selection() async throws {
        let fixture = laterFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        var settings = OutputSettings.elasticsearch(server.url)
        settings.vms = VMPattern(["web"])
        settings.streams = [.console0]
        let first = try fixture.start(settings)
        #expect(await awaits { !savedState(fixture).isEmpty })
        try await fixture.stop(first)
        for vm in ["web", "db"] {
            try fixture.append("line\n", vm: vm)
            try fixture.append("one more\n", vm: vm, StreamName("kernel")!)
        }
        try fixture.remove(vm: "db")
        try fixture.remove(vm: "web")
        try fixture.append("last\n")
        try fixture.remove()
        try fixture.start(settings)
        #expect(await awaits { !index.messages.isEmpty })
        #expect(index.messages == ["an unknown number of bytes lost: \(Self.lost)"])
    }

    @Test("what was removed of VMs that a change of vms adds is no loss")
    func widened() async throws {
        let fixture = laterFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        var settings = OutputSettings.elasticsearch(server.url)
        settings.startsAtBeginning = false
        settings.vms = VMPattern(["web"])
        let first = try fixture.start(settings)
        #expect(await awaits { !savedState(fixture).isEmpty })
        try await fixture.stop(first)
        for vm in ["web", "db"] {
            try fixture.append("line of \(vm)\n", vm: vm)
            try fixture.remove(vm: vm)
        }
        settings.vms = .all
        try fixture.start(settings)
        #expect(await awaits { !index.messages.isEmpty })
        try fixture.append("last\n", vm: "new")
        #expect(await awaits { index.messages.last == "last" })
        #expect(index.messages == ["12 bytes lost: \(Self.lost)", "last"])
    }

    @Test("an unfinished line of another VM does not delay what is told of a removed one")
    func unfinished() async throws {
        // The time of the line is an hour ahead, so it stays unfinished.
        let fixture = laterFixture()
        let index = StandInIndex()
        let isUp = NIOLockedValueBox(true)
        let server = try StandInServer { request in
            isUp.withLockedValue { $0 } ? index.take(request) : .status(503)
        }
        try fixture.append("line 0\n...", vm: "db")
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == ["line 0"] })
        isUp.withLockedValue { $0 = false }
        let requests = server.requests.count
        try fixture.append("line 1\n", vm: "other")
        #expect(await awaits { server.requests.count > requests })
        // While the output waits.
        try fixture.append("line 2\n")
        try fixture.remove()
        isUp.withLockedValue { $0 = true }
        #expect(await awaits { index.messages == ["line 0", "line 1", "7 bytes lost: \(Self.lost)"] })
        // The rest of its own line cannot come any more.
        try fixture.remove(vm: "db")
        try fixture.append("line 3\n", vm: "other")
        #expect(await awaits { Set(index.messages.dropFirst(3)) == ["line 3", "..."] })
    }

    @Test("a part of a line comes before the loss of its rest")
    func order() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("line 0\nhalf")
        try fixture.roll()
        try fixture.append("gone\n")
        try fixture.roll()
        try fixture.append("line 1\n")
        let folder = fixture.store.folder(of: StreamID(vm: "web", stream: .console0))
        for name in try LinuxFileSystem().names(in: folder) where name.contains("00000000000000000011.") {
            try LinuxFileSystem().remove(folder + "/" + name)
        }
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.last == "line 1" })
        #expect(index.messages == ["line 0", "half", "5 bytes lost: damaged on disk", "line 1"])
    }

    @Test("the end of a loss is no loss of its own")
    func endOfGap() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let since = Timestamp(microseconds: 1_763_658_005_000_000)
        func mark(_ bytes: UInt64, isClosed: Bool) throws {
            let gap = GapDetail(reason: .rateLimit, bytes: bytes, lines: 0, since: since, isClosed: isClosed)
            try fixture.mark(RecordDetail(gap: gap))
        }
        try mark(7, isClosed: false)
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == ["7 bytes lost: over the rate limit"] })
        try mark(0, isClosed: true)
        try fixture.append("line 0\n")
        #expect(await awaits { index.messages.last == "line 0" })
        #expect(index.messages.count == 2)
    }
}
