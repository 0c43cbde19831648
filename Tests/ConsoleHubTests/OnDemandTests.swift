// SPDX-License-Identifier: Apache-2.0

import CLinux
import Capture
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// Consoles that are connected only while they have watchers.
@Suite(.blocking) struct OnDemandTests {
    /// A guest's end of a console: a TCP port, as QEMU's `socket,host=…,server=on,wait=off`, which serves one client.
    private final class Port {
        let address: NetworkAddress
        private let listener: Descriptor

        /// A port that listens, or refuses clients until it does. No other test gets it meanwhile.
        init(isListening: Bool = true) throws {
            listener = Descriptor(owning: gl_tcp_socket(AF_INET))
            var place = sockaddr_in()
            place.sin_family = sa_family_t(AF_INET)
            place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let raw = listener.raw
            let code = withUnsafeBytes(of: &place) { bytes in
                bind(raw, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
            }
            try #require(code == 0)
            address = try #require(NetworkAddress(boundTo: raw))
            if isListening {
                listen()
            }
        }

        func listen() {
            #expect(Glibc.listen(listener.raw, 16) == 0)
        }

        /// Whether no client has connected.
        func isUnvisited() throws -> Bool {
            let client = try UnixSocket.accept(listener.raw)
            return client == nil
        }

        /// The next connection.
        func awaited() throws -> Descriptor {
            try awaitDescriptor { try UnixSocket.accept(listener.raw) }
        }
    }

    /// Whether the other end has closed without further output.
    private func isClosed(_ connection: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_DONTWAIT)) == 0
    }

    private func join(
        _ fixture: HubFixture,
        _ key: StreamKey,
        as role: WatcherRole = .write,
        _ notices: Notices = Notices()
    ) throws -> Descriptor {
        let pair = try Descriptor.socketPair()
        let theirs = try pair.second.duplicate()
        let isThere = fixture.hub.attach(key, theirs, as: role, who: "a test", onNotice: { notices.add($0.text) })
        #expect(isThere)
        return try pair.first.duplicate()
    }

    @Test(
        "it is connected when the first client joins, shared by all, and disconnected when the last leaves; nothing is stored"
    )
    func comesAndGoes() throws {
        let fixture = try HubFixture()
        let port = try Port()
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .tcp(port.address), isOnDemand: true))
        #expect(eventually { fixture.hub.statuses().first?.passThrough != nil })
        #expect(fixture.hub.statuses().first?.isConnected == false)
        #expect(try port.isUnvisited())
        for round in 1...3 {
            let typed = "round \(round)\n"
            let writer = try join(fixture, key)
            // Typed before the console is connected.
            send(typed, to: writer)
            let guest = try port.awaited()
            let watcher = try join(fixture, key, as: .watch)
            #expect(receive(typed.utf8.count, from: guest) == typed)
            #expect(eventually { fixture.hub.statuses().first?.watchers == 2 })
            send("login: ", to: guest)
            #expect(receive(7, from: writer) == "login: ")
            #expect(receive(7, from: watcher) == "login: ")
            shutdown(writer.raw, Int32(SHUT_RDWR))
            #expect(eventually { fixture.hub.statuses().first?.watchers == 1 })
            #expect(!isClosed(guest.raw))
            shutdown(watcher.raw, Int32(SHUT_RDWR))
            #expect(eventually { isClosed(guest.raw) })
            #expect(eventually { fixture.hub.statuses().first?.isConnected == false })
        }
        #expect(try fixture.capture.store.vms().isEmpty)
        #expect(fixture.hub.stop().isEmpty)
    }

    @Test("a console that cannot be reached reports that, and retries end when the client has left")
    func unreachable() throws {
        let fixture = try HubFixture()
        let port = try Port(isListening: false)
        let address = port.address
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .tcp(address), isOnDemand: true))
        let notices = Notices()
        let client = try join(fixture, key, as: .write, notices)
        send("lost\n", to: client)
        let words = "cannot reach the console: connect \(address): Connection refused; retrying"
        #expect(eventually { notices.all == [words] })
        shutdown(client.raw, Int32(SHUT_RDWR))
        #expect(eventually { fixture.hub.statuses().first?.watchers == 0 })
        // A client that joins when the console is back finds it connected.
        port.listen()
        let second = try join(fixture, key)
        send("here\n", to: second)
        let guest = try port.awaited()
        #expect(receive(5, from: guest) == "here\n")
    }

    @Test("a captured console takes the place of one that is only joined, and not vice versa")
    func capturedComesFirst() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let known = StreamKey(name: "instance-1", uuid: "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        let joined = try ConsoleHub.Definition(key: known, endpoint: .connect(path: chardev.path), isOnDemand: true)
        #expect(fixture.hub.add(joined) == .new)
        let ends = Mutex<[ConsoleNotice.End]>([])
        let pair = try Descriptor.socketPair()
        let theirs = try pair.second.duplicate()
        let isThere = fixture.hub.attach(
            known,
            theirs,
            as: .watch,
            who: "a test",
            onNotice: { notice in
                if let end = notice.end {
                    ends.withLock { $0.append(end) }
                }
            }
        )
        #expect(isThere)
        let former = try chardev.accept()
        let key = StreamKey(name: "web")
        #expect(fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path))) == .new)
        #expect(ends.withLock { $0 } == [.sessionEnded])
        _ = (former.raw, pair.first.raw)
        let guest = try chardev.accept()
        send("hello\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\n".utf8) })
        #expect(fixture.hub.statuses().map(\.definition.key) == [key])
        guard case .conflict(let conflict) = fixture.hub.add(joined) else {
            Issue.record("a captured console was added to be joined as well")
            return
        }
        #expect(conflict.kind == .endpoint && conflict.other.key == key)
        #expect(fixture.capture.problems.all.isEmpty)
        // The reason for joining is gone; the console is captured nevertheless.
        fixture.hub.remove(joined)
        send("more\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\nmore\n".utf8) })
    }
}
