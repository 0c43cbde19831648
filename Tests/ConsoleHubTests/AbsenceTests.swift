// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// What the log records of times without capture.
@Suite(.blocking) struct AbsenceTests {
    private func connect(_ fixture: HubFixture, to chardev: Chardev) throws -> Descriptor {
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        return try chardev.accept()
    }

    private func expect(_ text: String, in fixture: HubFixture) throws {
        #expect(try eventually { try fixture.text("web").bytes.elementsEqual(text.utf8) })
    }

    @Test("a daemon that reconnects to the same machine records when it was away, and no boot")
    func daemonAway() throws {
        let folder = TemporaryFolder()
        let chardev = try Chardev(folder.path + "/vm.sock")
        let before: Int64
        do {
            let fixture = try HubFixture(in: folder)
            let guest = try connect(fixture, to: chardev)
            send("before\n", to: guest)
            try expect("before\n", in: fixture)
            before = SystemClock().wallMicroseconds()
            fixture.stop()
        }
        let fixture = try HubFixture(in: folder)
        let guest = try connect(fixture, to: chardev)
        send("after\n", to: guest)
        try expect("before\nafter\n", in: fixture)
        let stored = try fixture.text("web")
        #expect(stored.boots.map(\.event) == [.powerOn])
        #expect(stored.gaps.map(\.reason) == [.daemonAway] && stored.gaps.first?.bytes == nil)
        // Not since the guest's last output, but since the daemon stopped reading.
        let since = try #require(stored.gaps.first?.since.microseconds)
        #expect((before...SystemClock().wallMicroseconds()).contains(since))
    }

    @Test("a machine in a watched folder that ended while no daemon ran has a gap and an end", arguments: [0, 1])
    func endedMeanwhile(restarts: Int) throws {
        let folder = TemporaryFolder()
        try LinuxFileSystem().makeDirectory(folder.path + "/vms")
        let patterns = [try DiscoveryPattern(folder.path + "/vms/{name}.sock")]
        do {
            let chardev = try Chardev(folder.path + "/vms/web.sock")
            let fixture = try HubFixture(in: folder, patterns: patterns)
            let guest = try chardev.accept()
            send("before\n", to: guest)
            try expect("before\n", in: fixture)
            fixture.stop()
        }
        try LinuxFileSystem().remove(folder.path + "/vms/web.sock")
        for _ in 0...restarts {
            let fixture = try HubFixture(in: folder, patterns: patterns, forgetsAfter: 0)
            #expect(try eventually { try fixture.text("web").boots.map(\.event) == [.powerOn, .closed] })
            #expect(try fixture.text("web").gaps.map(\.reason) == [.daemonAway])
            #expect(eventually { fixture.hub.statuses().isEmpty })
            fixture.stop()
        }
        let held = try LinuxFileSystem().names(in: folder.path + "/run/held")
        #expect(!held.contains { $0.hasPrefix("c") })
    }

    @Test("output written before the daemon stopped is stored or counted completely")
    func lastBytes() throws {
        for _ in 0..<20 {
            let fixture = try HubFixture()
            let chardev = try Chardev(fixture.folder.path + "/vm.sock")
            let guest = TalkingGuest(try connect(fixture, to: chardev).release(), pace: 2000)
            #expect(try eventually { try !fixture.text("web").bytes.isEmpty })
            fixture.stop()
            guest.join("while the daemon stops")
            // The write in progress may have been cut off; all earlier output is there.
            // While a slow disk does not take it, some is counted in a gap instead.
            let text = try fixture.text("web")
            let stored = text.bytes.count + text.lostBytes
            #expect(stored >= guest.bytes, "\(guest.bytes) written, \(stored) stored or counted")
        }
    }

    @Test(
        "a machine that ran before its console was first connected is recorded as joined, not as switched on"
    )
    func joined() throws {
        let fixture = try HubFixture(joinAge: 0)
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let guest = try connect(fixture, to: chardev)
        send("in the middle\n", to: guest)
        try expect("in the middle\n", in: fixture)
        #expect(try fixture.text("web").boots.map(\.event) == [.joined])
    }

    @Test("a machine whose console was missing before is recorded as switched on, however old its process is")
    func absentBefore() throws {
        let fixture = try HubFixture(joinAge: 0)
        let path = fixture.folder.path + "/vm.sock"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: path)))
        #expect(eventually { fixture.hub.statuses().first?.isConnected == false })
        // The hub has scanned once when a later job has run.
        fixture.hub.control.perform {}
        fixture.hub.statuses().forEach { _ in }
        let chardev = try Chardev(path)
        let guest = try chardev.accept()
        send("first\n", to: guest)
        try expect("first\n", in: fixture)
        #expect(try fixture.text("web").boots.map(\.event) == [.powerOn])
    }

    @Test("a console that was closed and reconnects to the same machine has a gap, and no new boot")
    func disconnected() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        do {
            let guest = try connect(fixture, to: chardev)
            send("before\n", to: guest)
            try expect("before\n", in: fixture)
        }
        let guest = try chardev.accept()
        send("after\n", to: guest)
        try expect("before\nafter\n", in: fixture)
        let stored = try fixture.text("web")
        #expect(stored.boots.map(\.event) == [.powerOn, .closed])
        #expect(stored.gaps.map(\.reason) == [.disconnected])
    }
}
