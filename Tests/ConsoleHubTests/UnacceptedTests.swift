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

/// VMMs that serve one client: the connection of the next one waits in the listener's backlog.
@Suite(.blocking) struct UnacceptedTests {
    private static let busy = "the VMM serves another client"

    @Test("a console whose VMM serves another client is not connected, is a problem, and has no boot until accepted")
    func waits() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let other = try UnixSocket.connect(to: chardev.path)
        let served = try chardev.accept()
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        #expect(eventually { fixture.problems(of: "web").contains { $0.contains(Self.busy) } })
        #expect(fixture.hub.statuses().map(\.isConnected) == [false])
        #expect(fixture.messages.count { $0.contains(Self.busy) } == 1)
        // The other client leaves: the VMM accepts the next connection, and the console's history begins.
        _ = (other.raw, served.raw)
        let guest = try chardev.accept()
        #expect(eventually { fixture.hub.statuses().map(\.isConnected) == [true] })
        #expect(eventually { fixture.problems(of: "web").isEmpty })
        send("hello\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\n".utf8) })
        #expect(try fixture.text("web").boots.map(\.event) == [.powerOn])
    }

    @Test("the first byte of an accepted connection is noticed at once, however long it waited")
    func firstByte() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        #expect(eventually { !fixture.problems(of: "web").isEmpty })
        let guest = try chardev.accept()
        send("hello\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\n".utf8) })
    }

    @Test("when the listener ends, its path is dialled again, and the next VMM is a new boot")
    func listenerEnds() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/vm.sock"
        do {
            let chardev = try Chardev(path)
            fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
            #expect(eventually { !fixture.problems(of: "web").isEmpty })
        }
        unlink(path)
        #expect(eventually { fixture.problems(of: "web").isEmpty })
        let next = try Chardev(path)
        let guest = try next.accept()
        send("next\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("next\n".utf8) })
        #expect(try fixture.text("web").boots.map(\.event) == [.powerOn])
    }

    @Test("a client of a console on demand is told that the VMM serves another, and the wait ends when it leaves")
    func onDemand() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let definition = try ConsoleHub.Definition(
            key: StreamKey(name: "web"),
            endpoint: .connect(path: chardev.path),
            isOnDemand: true
        )
        fixture.hub.add(definition)
        let notices = Notices()
        do {
            let pair = try Descriptor.socketPair()
            let theirs = try pair.first.duplicate()
            let isThere = fixture.hub.attach(
                definition.key,
                theirs,
                as: .write,
                who: "me",
                onNotice: { notices.add($0.text) }
            )
            #expect(isThere)
            #expect(eventually { notices.all.contains { $0.contains(Self.busy) } })
            #expect(fixture.problems(of: "web").isEmpty)
        }
        let abandoned = try chardev.accept()
        let hasEnded = eventually {
            var byte: UInt8 = 0
            return recv(abandoned.raw, &byte, 1, Int32(MSG_DONTWAIT)) == 0
        }
        #expect(hasEnded)
    }

    @Test("a TCP console of this host is pending too until it is accepted")
    func tcp() throws {
        let listener = try #require(NetworkAddress("127.0.0.1:0")).listen()
        let address = try #require(NetworkAddress(boundTo: listener.raw))
        let socket = try address.connect()
        #expect(eventually { SocketDiagnostics.isAccepted(socket.raw) == false })
        let accepted = awaitDescriptor { try? UnixSocket.accept(listener.raw) }
        #expect(SocketDiagnostics.isAccepted(socket.raw) == true)
        _ = accepted.raw
    }

    @Test("a console that stays refused is a problem, with the reason, until it is reached")
    func refused() throws {
        var link = ConsoleLink(
            .init(endpoint: .connect(path: "/run/vm.sock"), isOnDemand: false, isDiscovered: false, joinAge: 0),
            knownPeer: nil
        )
        _ = link.begin()
        var reports = 0
        for _ in 0..<20 where reports == 0 {
            let actions = link.failed(SystemError("connect", "/run/vm.sock", code: ECONNREFUSED))
            reports = actions.count { if case .report = $0 { true } else { false } }
            _ = link.retryDue()
        }
        #expect(reports == 1)
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/vm.sock"
        let definition = try ConsoleHub.Definition(key: StreamKey(name: "web"), endpoint: .connect(path: path))
        fixture.hub.problems.raise("connect \(path): Connection refused; retrying every 30 s", of: definition)
        // The attempts in between change nothing; the connection does.
        fixture.hub.problems.note(.failure(SystemError("connect", path, code: ECONNREFUSED)), of: definition)
        #expect(fixture.problems(of: "web").map { $0.contains("refused") } == [true])
        let chardev = try Chardev(path)
        fixture.hub.add(definition)
        _ = try chardev.accept().raw
        #expect(eventually { fixture.problems(of: "web").isEmpty })
    }
}
