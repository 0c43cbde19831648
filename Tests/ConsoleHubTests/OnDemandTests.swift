import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// Consoles that are reached only while somebody is on them.
@Suite(.blocking) struct OnDemandTests {
    /// A guest's end of a console: a port of TCP, as QEMU's `socket,host=…,server=on,wait=off`, which serves one client.
    private final class Port {
        let address: NetworkAddress
        private let listener: Descriptor

        init() throws {
            listener = try NetworkAddress("127.0.0.1:0")!.listen()
            address = try #require(NetworkAddress(boundTo: listener.raw))
        }

        init(at address: NetworkAddress) throws {
            listener = try address.listen()
            self.address = address
        }

        /// Whether nobody has come.
        func isUnvisited() throws -> Bool {
            let client = try UnixSocket.accept(listener.raw)
            return client == nil
        }

        /// The next connection.
        func awaited() throws -> Descriptor {
            var found: Int32 = -1
            #expect(
                try eventually {
                    guard let connection = try UnixSocket.accept(listener.raw) else { return false }
                    found = connection.release()
                    return true
                }
            )
            return Descriptor(owning: found)
        }
    }

    /// Whether the other end has closed, and said nothing more.
    private func isClosed(_ connection: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_DONTWAIT)) == 0
    }

    private func join(_ fixture: HubFixture, _ key: StreamKey, as role: WatcherRole = .write) throws -> Descriptor {
        let pair = try Descriptor.socketPair()
        #expect(fixture.hub.attach(key, try pair.second.duplicate(), as: role, who: "a test"))
        return try pair.first.duplicate()
    }

    @Test(
        "it is reached when the first comes, shared by all, and left to others when the last has gone; nothing is kept"
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
            // Typed before there is anybody to take it.
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

    @Test("one that cannot be reached says so, and is given up when the client has left")
    func unreachable() throws {
        let fixture = try HubFixture()
        let address = try Port().address
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .tcp(address), isOnDemand: true))
        let client = try join(fixture, key)
        send("lost\n", to: client)
        let words = "the console cannot be reached: connect \(address): Connection refused"
        #expect(receive(words.utf8.count + 14, from: client).contains(words))
        shutdown(client.raw, Int32(SHUT_RDWR))
        #expect(eventually { fixture.hub.statuses().first?.watchers == 0 })
        // Whoever comes when it is back finds it.
        let port = try Port(at: address)
        let second = try join(fixture, key)
        send("here\n", to: second)
        let guest = try port.awaited()
        #expect(receive(5, from: guest) == "here\n")
    }

    @Test("one that is to be captured takes the place of one that was only to be joined, not the other way round")
    func capturedComesFirst() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let known = StreamKey(name: "instance-1", uuid: "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        let joined = try ConsoleHub.Definition(key: known, endpoint: .connect(path: chardev.path), isOnDemand: true)
        #expect(fixture.hub.add(joined) == .new)
        let key = StreamKey(name: "web")
        #expect(fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path))) == .new)
        let guest = try chardev.accept()
        send("hello\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\n".utf8) })
        #expect(fixture.hub.statuses().map(\.definition.key) == [key])
        guard case .conflict(let conflict) = fixture.hub.add(joined) else {
            Issue.record("what is captured is to be joined besides")
            return
        }
        #expect(conflict.kind == .endpoint && conflict.other.key == key)
        #expect(fixture.capture.problems.all.isEmpty)
        // What it was to be joined for has gone; it is captured all the same.
        fixture.hub.remove(joined)
        send("more\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("hello\nmore\n".utf8) })
    }
}
