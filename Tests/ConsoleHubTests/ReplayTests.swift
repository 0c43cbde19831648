// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// A VMM that replays its last output to each new client.
@Suite(.blocking) struct ReplayTests {
    private let boot =
        "[    0.000000] Linux version 6.1.0 (build@host) #1 SMP\r\n"
        + (0..<200).map { "boot line \($0)\r\n" }.joined() + "web login: "

    private func connect(_ fixture: HubFixture, to chardev: Chardev) throws -> Descriptor {
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        return try chardev.accept()
    }

    private func expect(_ text: String, in fixture: HubFixture) throws {
        #expect(try eventually { try fixture.text("web").bytes.elementsEqual(text.utf8) })
    }

    @Test("a replay after a restart is stored from where the log ends, without a gap and without a boot")
    func afterRestart() throws {
        let folder = TemporaryFolder()
        let chardev = try Chardev(folder.path + "/vm.sock")
        do {
            let fixture = try HubFixture(in: folder)
            let guest = try connect(fixture, to: chardev)
            send(boot, to: guest)
            try expect(boot, in: fixture)
            fixture.stop()
        }
        let fixture = try HubFixture(in: folder)
        let guest = try connect(fixture, to: chardev)
        send(boot + "root\r\nwhile nobody listened\r\n", to: guest)
        try expect(boot + "root\r\nwhile nobody listened\r\n", in: fixture)
        send("on it goes\r\n", to: guest)
        try expect(boot + "root\r\nwhile nobody listened\r\non it goes\r\n", in: fixture)
        let stored = try fixture.text("web")
        #expect(stored.boots.map(\.event) == [.powerOn] && stored.gaps.isEmpty)
        #expect(fixture.messages.contains { $0.contains("\(boot.utf8.count) bytes of it are stored already") })
    }

    @Test("a replay after a broken connection is stored once too")
    func afterDisconnection() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        do {
            let guest = try connect(fixture, to: chardev)
            send(boot, to: guest)
            try expect(boot, in: fixture)
        }
        let guest = try chardev.accept()
        // The replay's buffer no longer has the beginning.
        send(boot.dropFirst(1000) + "more\r\n", to: guest)
        try expect(boot + "more\r\n", in: fixture)
        let stored = try fixture.text("web")
        #expect(stored.boots.map(\.event) == [.powerOn, .closed] && stored.gaps.isEmpty)
    }

    @Test("what begins like a replay and is none is stored after the gap, even if nothing follows it")
    func noReplay() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        do {
            let guest = try connect(fixture, to: chardev)
            send(boot, to: guest)
            try expect(boot, in: fixture)
        }
        let guest = try chardev.accept()
        let begin = boot.prefix(500)
        send(String(begin), to: guest)
        try expect(boot + begin, in: fixture)
        #expect(try fixture.text("web").gaps.map(\.reason) == [.disconnected])
    }

    @Test("what might have been a replay is stored when the daemon stops")
    func stops() throws {
        let folder = TemporaryFolder()
        let chardev = try Chardev(folder.path + "/vm.sock")
        let fixture = try HubFixture(in: folder)
        do {
            let guest = try connect(fixture, to: chardev)
            send(boot, to: guest)
            try expect(boot, in: fixture)
        }
        let guest = try chardev.accept()
        let received = { fixture.capture.statistics().values.reduce(0) { $0 + Int($1.received) } }
        let expected = received() + boot.prefix(500).utf8.count
        send(String(boot.prefix(500)), to: guest)
        #expect(eventually { received() == expected })
        fixture.stop()
        let stored = try StoredText(of: StreamID(vm: "web", stream: .console0), in: fixture.capture.store)
        #expect(stored.bytes == Array((boot + boot.prefix(500)).utf8))
        #expect(stored.gaps.map(\.reason) == [.disconnected])
        _ = guest.raw
    }
}
