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
            let visitor = try UnixSocket.accept(listener.raw)
            return visitor == nil
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

    private func visit(_ house: House, _ key: StreamKey, as role: WatcherRole = .write) throws -> Descriptor {
        let pair = try Descriptor.socketPair()
        #expect(house.hub.attach(key, try pair.second.duplicate(), as: role, who: "a test"))
        return try pair.first.duplicate()
    }

    @Test(
        "it is reached when the first comes, shared by all, and left to others when the last has gone; nothing is kept"
    )
    func comesAndGoes() throws {
        let house = try House()
        let port = try Port()
        let key = StreamKey(name: "web")
        house.hub.add(try .init(key: key, endpoint: .tcp(port.address), isOnDemand: true))
        #expect(eventually { house.hub.statuses().first?.passThrough != nil })
        #expect(house.hub.statuses().first?.isConnected == false)
        #expect(try port.isUnvisited())
        for round in 1...3 {
            let typed = "round \(round)\n"
            let writer = try visit(house, key)
            // Typed before there is anybody to take it.
            send(typed, to: writer)
            let guest = try port.awaited()
            let watcher = try visit(house, key, as: .watch)
            #expect(receive(typed.utf8.count, from: guest) == typed)
            #expect(eventually { house.hub.statuses().first?.watchers == 2 })
            send("login: ", to: guest)
            #expect(receive(7, from: writer) == "login: ")
            #expect(receive(7, from: watcher) == "login: ")
            shutdown(writer.raw, Int32(SHUT_RDWR))
            #expect(eventually { house.hub.statuses().first?.watchers == 1 })
            #expect(!isClosed(guest.raw))
            shutdown(watcher.raw, Int32(SHUT_RDWR))
            #expect(eventually { isClosed(guest.raw) })
            #expect(eventually { house.hub.statuses().first?.isConnected == false })
        }
        #expect(try house.capture.store.vms().isEmpty)
        #expect(house.hub.stop().isEmpty)
    }

    @Test("one that cannot be reached says so, and is given up when the visitor has left")
    func unreachable() throws {
        let house = try House()
        let address = try Port().address
        let key = StreamKey(name: "web")
        house.hub.add(try .init(key: key, endpoint: .tcp(address), isOnDemand: true))
        let visitor = try visit(house, key)
        send("lost\n", to: visitor)
        let words = "the console cannot be reached: connect \(address): Connection refused"
        #expect(receive(words.utf8.count + 14, from: visitor).contains(words))
        shutdown(visitor.raw, Int32(SHUT_RDWR))
        #expect(eventually { house.hub.statuses().first?.watchers == 0 })
        // Whoever comes when it is back finds it.
        let port = try Port(at: address)
        let second = try visit(house, key)
        send("here\n", to: second)
        let guest = try port.awaited()
        #expect(receive(5, from: guest) == "here\n")
    }

    @Test("one that is to be captured takes the place of one that was only to be joined, not the other way round")
    func capturedComesFirst() throws {
        let house = try House()
        let chardev = try Chardev(house.folder.path + "/vm.sock")
        let known = StreamKey(name: "instance-1", uuid: "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        let joined = try ConsoleHub.Definition(key: known, endpoint: .connect(path: chardev.path), isOnDemand: true)
        #expect(house.hub.add(joined) == .new)
        let key = StreamKey(name: "web")
        #expect(house.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path))) == .new)
        let guest = try chardev.accept()
        send("hello\n", to: guest)
        #expect(try eventually { try house.text("web").bytes == Array("hello\n".utf8) })
        #expect(house.hub.statuses().map(\.definition.key) == [key])
        guard case .conflict(let conflict) = house.hub.add(joined) else {
            Issue.record("what is captured is to be joined besides")
            return
        }
        #expect(conflict.kind == .endpoint && conflict.other.key == key)
        #expect(house.capture.problems.all.isEmpty)
        // What it was to be joined for has gone; it is captured all the same.
        house.hub.remove(joined)
        send("more\n", to: guest)
        #expect(try eventually { try house.text("web").bytes == Array("hello\nmore\n".utf8) })
    }
}
