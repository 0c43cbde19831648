// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

@Suite(.blocking) struct ConsoleLimitTests {
    @Test("consoles beyond the limit of descriptors are refused by name, and captured when another one ends")
    func full() throws {
        let fixture = try HubFixture(consoleLimit: 2)
        let chardevs = try ["a", "b", "c"].map { try Chardev(fixture.folder.path + "/\($0).sock") }
        for (name, chardev) in zip(["a", "b", "c"], chardevs) {
            let added = fixture.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: chardev.path)))
            #expect(added == (name == "c" ? .full : .new))
        }
        let first = try chardevs[0].accept()
        send("whole\n", to: first)
        #expect(try eventually { try fixture.text("a").bytes.elementsEqual("whole\n".utf8) })
        #expect(fixture.capture.problems.all.contains { $0.subject.hasPrefix("c/console0") })
        #expect(fixture.hub.remove(StreamKey(name: "a")))
        let last = try chardevs[2].accept()
        send("now\n", to: last)
        #expect(try eventually { try fixture.text("c").bytes.elementsEqual("now\n".utf8) })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a VM that ends while its console waits because of the limit is not captured, and is no problem any more")
    func endsWhileWaiting() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/vms", 0o755)
        let patterns = [try DiscoveryPattern(folder.path + "/vms/{name}.sock")]
        let fixture = try HubFixture(in: folder, patterns: patterns, consoleLimit: 1)
        let first = try Chardev(folder.path + "/vms/first.sock")
        let guest = try first.accept()
        send("first\n", to: guest)
        for number in 0..<3 {
            let waiting = try Chardev(folder.path + "/vms/waiting-\(number).sock")
            #expect(eventually { !fixture.problems(of: "waiting-\(number)").isEmpty })
            unlink(waiting.path)
            #expect(eventually { fixture.problems(of: "waiting-\(number)").isEmpty })
        }
        let last = try Chardev(folder.path + "/vms/last.sock")
        #expect(eventually { !fixture.problems(of: "last").isEmpty })
        #expect(fixture.hub.knownDefinitions().map(\.key.name).sorted() == ["first", "last"])
        #expect(fixture.hub.remove(StreamKey(name: "first")))
        send("now\n", to: try last.accept())
        #expect(try eventually { try fixture.text("last").bytes.elementsEqual("now\n".utf8) })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a console that waits because of the limit can be dropped, and is not captured later")
    func droppedWhileWaiting() throws {
        let fixture = try HubFixture(consoleLimit: 1)
        let chardevs = try ["a", "b", "c"].map { try Chardev(fixture.folder.path + "/\($0).sock") }
        for (name, chardev) in zip(["a", "b", "c"], chardevs) {
            fixture.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: chardev.path)))
        }
        #expect(fixture.hub.remove(StreamKey(name: "b")))
        #expect(fixture.problems(of: "b").isEmpty)
        #expect(!fixture.hub.remove(StreamKey(name: "b")))
        #expect(fixture.hub.remove(StreamKey(name: "a")))
        send("now\n", to: try chardevs[2].accept())
        #expect(fixture.hub.knownDefinitions().map(\.key.name) == ["c"])
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a console's socket accepts sessions up to its limit; the next is closed, logged, and accepted when one ends")
    func sessions() throws {
        let fixture = try HubFixture(socketSessionLimit: SocketSessions.perConsole + 2)
        let first = try console("a", in: fixture)
        let second = try console("b", in: fixture)
        var open: [Int32] = []
        defer { open.forEach { close($0) } }
        for number in 1...SocketSessions.perConsole {
            open.append(connect(to: first.socket).release())
            #expect(eventually { fixture.hub.statuses().first?.watchers == number })
        }
        try refused(by: fixture, "this socket has 16 sessions", at: first.socket)
        for number in 1...2 {
            open.append(connect(to: second.socket).release())
            #expect(eventually { fixture.hub.statuses().last?.watchers == number })
        }
        try refused(by: fixture, "the console sockets have 18 sessions", at: second.socket)
        // The guests are captured meanwhile, and refused clients leave nothing behind.
        send("whole\n", to: first.guest)
        #expect(try eventually { try fixture.text("a").bytes.elementsEqual("whole\n".utf8) })
        close(open.removeFirst())
        #expect(eventually { fixture.hub.statuses().first?.watchers == SocketSessions.perConsole - 1 })
        open.append(connect(to: second.socket).release())
        #expect(eventually { fixture.hub.statuses().last?.watchers == 3 })
    }

    /// A captured console: the guest's end, and the socket that it offers.
    private func console(_ name: String, in fixture: HubFixture) throws -> Captured {
        let chardev = try Chardev(fixture.folder.path + "/\(name).sock")
        fixture.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        let socket = fixture.folder.path + "/run/\(name).sock"
        #expect(eventually { access(socket, F_OK) == 0 })
        return Captured(guest: guest, socket: socket)
    }

    private struct Captured: ~Copyable {
        let guest: Descriptor
        let socket: String
    }

    /// Connects, and expects the end of the connection without a byte, and the reason in the daemon's log.
    private func refused(by fixture: HubFixture, _ reason: String, at socket: String) throws {
        let connection = connect(to: socket)
        try connection.setNonBlocking(false)
        #expect(try readAll(from: connection).isEmpty)
        #expect(
            eventually {
                fixture.messages.contains { $0.contains(reason) && $0.contains("guestlog console") }
            }
        )
    }

    private func readAll(from descriptor: borrowing Descriptor) throws -> String {
        var (all, piece) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        while case let count = read(descriptor.raw, &piece, piece.count), count > 0 {
            all += piece[..<count]
        }
        return String(decoding: all, as: UTF8.self)
    }
}
