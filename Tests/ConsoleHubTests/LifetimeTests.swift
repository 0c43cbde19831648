// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

@Suite(.blocking) struct LifetimeTests {
    @Test("a socket that cannot be created for the VMM is a problem, until it can")
    func listensLater() throws {
        let fixture = try HubFixture()
        let folder = fixture.folder.path + "/vms"
        let path = folder + "/vm.sock"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .listen(path: path)))
        func problems() -> [String] { fixture.capture.problems.all.map { "\($0.subject): \($0.problem)" } }
        #expect(eventually { problems().contains { $0.contains("not captured: bind \(path): No such file") } })
        mkdir(folder, 0o755)
        let guest = connect(to: path)
        send("text\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("text\n".utf8) })
        #expect(problems() == [])
    }

    @Test(
        "another process that listens at a console's path is a problem, until its socket has gone or the process has ended",
        arguments: [false, true]
    )
    func occupied(hasEnded: Bool) throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/vm.sock"
        var other: Chardev? = try Chardev(path)
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .listen(path: path)))
        #expect(eventually { fixture.problems(of: "web").contains { $0.contains("already in use") } })
        let probe = try #require(other).accept()
        if hasEnded {
            other = nil
        } else {
            unlink(path)
        }
        let guest = connect(to: path)
        send("text\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("text\n".utf8) })
        #expect(fixture.problems(of: "web").isEmpty)
        _ = probe.raw
        _ = other?.path
    }

    @Test("a socket of another process is connected to ever more rarely, until another file takes its place")
    func occupiedPath() {
        func file(_ inode: UInt64) -> FileAttributes {
            FileAttributes(.socket, FileIdentity(device: 1, inode: inode), size: 0, modified: 0)
        }
        var path = OccupiedPath()
        var attempts: [Int64] = []
        for second in Int64(0)..<200 where path.isDue(file(1), at: second * 1_000_000) {
            attempts.append(second)
            path.refused(by: file(1), isListed: true, at: second * 1_000_000)
        }
        #expect(attempts == [0, 30, 90])
        #expect(path.isDue(file(2), at: 200_000_000))
        #expect(path.isDue(nil, at: 200_000_000))
        path.refused(by: file(2), isListed: true, at: 200_000_000)
        #expect(!path.isDue(file(2), at: 229_000_000))
        #expect(path.isDue(file(2), at: 230_000_000))
    }

    @Test(
        "where the daemon may not connect it is told who may",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func forbidden() throws {
        let folder = TemporaryFolder()
        chmod(folder.path, 0o755)
        mkdir(folder.path + "/own", 0o755)
        chown(folder.path + "/own", 65534, 65534)
        let chardev = try Chardev(folder.path + "/vm.sock")
        chown(chardev.path, 0, 107)
        func reason(_ mode: mode_t) -> String {
            chmod(chardev.path, mode)
            var reason = ""
            FileOwner.perform(as: FileOwner(of: folder.path + "/own")) {
                do throws(SystemError) {
                    let endpoint = Endpoint.connect(path: chardev.path)
                    let file = try endpoint.locate(trusted: nil)
                    _ = try endpoint.open(file)
                } catch {
                    reason = error.reason
                }
            }
            return reason
        }
        #expect(reason(0o660).hasPrefix("Permission denied: only user 0 and group 107 may; add Supplementary"))
        #expect(reason(0o600).contains("only user 0 may;"))
        #expect(reason(0o666) == "")
        // An owner without the right that all others have: the permissions do not tell who may.
        chown(chardev.path, 65534, 107)
        #expect(reason(0o066) == "Permission denied")
    }

    @Test("a console that a client has added is added by the next process too, until it is removed")
    func addedByClient() throws {
        let folder = TemporaryFolder()
        func definition(_ name: String, isOnDemand: Bool = false) throws -> ConsoleHub.Definition {
            let endpoint = Endpoint.connect(path: folder.path + "/\(name).sock")
            return try .init(key: StreamKey(name: name), endpoint: endpoint, isOnDemand: isOnDemand)
        }
        func noted() -> String {
            let contents = try? LinuxFileSystem().contents(of: folder.path + "/run/held/added.json")
            return contents.map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        do {
            let fixture = try HubFixture(in: folder)
            for name in ["db", "gone"] {
                #expect(fixture.hub.addLasting(try definition(name)) == .new)
            }
            #expect(fixture.hub.addLasting(try definition("far", isOnDemand: true)) == .new)
            let elsewhere = Endpoint.connect(path: folder.path + "/elsewhere.sock")
            #expect(fixture.hub.addLasting(try .init(key: StreamKey(name: "db"), endpoint: elsewhere)) != .new)
            fixture.hub.add(try definition("other"))
            let terminal = Endpoint.terminal(path: folder.path + "/pts")
            #expect(fixture.hub.addLasting(try .init(key: StreamKey(name: "old"), endpoint: terminal)) == .new)
            #expect(fixture.hub.remove(StreamKey(name: "gone")))
            #expect(eventually { noted().contains("far.sock") && !noted().contains("gone.sock") })
            fixture.stop()
        }
        let chardev = try Chardev(folder.path + "/db.sock")
        let fixture = try HubFixture(in: folder)
        #expect(fixture.hub.definitions().map(\.key.name) == ["db", "far"])
        #expect(fixture.hub.definitions().map(\.isOnDemand) == [false, true])
        let guest = try chardev.accept()
        send("text\n", to: guest)
        #expect(try eventually { try fixture.text("db").bytes == Array("text\n".utf8) })
    }

    @Test("a console that a client has added is forgotten once the configuration has it, or one that conflicts")
    func addedAndConfigured() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/vms", 0o755)
        func definition(_ name: String, _ path: String, uuid: String? = nil) throws -> ConsoleHub.Definition {
            try .init(key: StreamKey(name: name, uuid: uuid), endpoint: .connect(path: folder.path + path))
        }
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        do {
            let fixture = try HubFixture(in: folder)
            let added = [
                try definition("web", "/vms/web.sock"), try definition("renamed", "/vms/mail.sock"),
                try definition("db", "/db.sock"), try definition("former", "/new.sock"),
                try definition("twin", "/twin.sock", uuid: uuid),
            ]
            for console in added {
                #expect(fixture.hub.addLasting(console) == .new)
            }
            fixture.stop()
        }
        let chardev = try Chardev(folder.path + "/vms/web.sock")
        do {
            let plainFile = folder.path + "/{name}.log"
            let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock", plainFile: plainFile)
            let named = [try definition("db", "/db.sock"), try definition("new", "/new.sock", uuid: uuid)]
            let fixture = try HubFixture(in: folder, patterns: [pattern], named: named)
            #expect(eventually { fixture.hub.definitions().map(\.key.name) == ["db", "new", "renamed", "web"] })
            #expect(fixture.hub.definitions().last?.plainFile?.path == folder.path + "/web.log")
            #expect(fixture.hub.table.addedConsoles.map(\.key.name) == ["renamed"])
            #expect(fixture.messages.contains { $0.contains("added by a client, is not captured any more: the UUID") })
            #expect(fixture.problems(of: "twin").isEmpty)
            fixture.stop()
        }
        let fixture = try HubFixture(in: folder)
        #expect(fixture.hub.definitions().map(\.key.name) == ["renamed"])
        _ = chardev.path
    }

    @Test("a client that is behind when its console is removed is told what it missed, and why its session ends")
    func removedWhileBehind() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        let notices = Mutex<[ConsoleNotice]>([])
        let pair = try Descriptor.socketPair()
        let theirs = try pair.second.duplicate()
        let isThere = fixture.hub.attach(
            key,
            theirs,
            as: .watch,
            who: "a test",
            onNotice: { notice in notices.withLock { $0.append(notice) } }
        )
        #expect(isThere)
        let found = fixture.hub.state.withLock { $0.consoles[key] }
        let console = try #require(found)
        send(String(repeating: "more than a socket holds\n", count: 200_000), to: guest)
        #expect(eventually { console.shard.loop.perform { console.watchers.contains { $0.isBehind } } })
        #expect(fixture.hub.remove(key))
        let last = notices.withLock { Array($0.suffix(2)) }
        #expect(last.first?.text.hasPrefix("cut off: ") == true)
        #expect(last.map(\.end) == [nil, .consoleEnded])
        _ = pair.first.raw
    }

    @Test("a hub and a capture that have stopped are freed, with their descriptors")
    func freed() throws {
        weak var hub: ConsoleHub?
        weak var capture: CaptureService?
        do {
            let folder = TemporaryFolder()
            let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
            let fixture = try HubFixture(in: folder, patterns: [pattern])
            let chardev = try Chardev(folder.path + "/web.sock")
            fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
            let guest = try chardev.accept()
            send("hello\n", to: guest)
            #expect(try eventually { try fixture.text("web").bytes.elementsEqual("hello\n".utf8) })
            (hub, capture) = (fixture.hub, fixture.capture)
            #expect(hub != nil && capture != nil)
        }
        #expect(eventually { hub == nil && capture == nil })
    }
}
