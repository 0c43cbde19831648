// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// Files that other users may create in a watched folder.
@Suite(.blocking) struct WatchedFolderTests {
    private let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"

    /// A hub that watches `vms/{namespace}/{name}.sock` in a folder with the namespaces `good` and `evil`.
    private func watch(_ folder: TemporaryFolder) throws -> HubFixture {
        for name in ["vms", "vms/good", "vms/evil"] {
            mkdir(folder.path + "/" + name, 0o755)
        }
        return try HubFixture(in: folder, patterns: [DiscoveryPattern(folder.path + "/vms/{namespace}/{name}.sock")])
    }

    private func isConnected(_ name: String, in fixture: HubFixture) -> Bool {
        fixture.hub.statuses().contains { $0.definition.key.name == name && $0.isConnected }
    }

    private func says(_ text: String, in fixture: HubFixture) -> Bool {
        eventually { fixture.messages.contains { $0.contains(text) } }
    }

    @Test("a watched folder that does not exist is a problem, until it does or is watched no more")
    func missing() throws {
        let folder = TemporaryFolder()
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
        let fixture = try HubFixture(in: folder, patterns: [pattern])
        let problem = "the folder \(folder.path)/vms does not exist; waiting for it"
        func problems() -> [String] { fixture.capture.problems.all.map { $0.subject + ": " + $0.problem } }
        #expect(eventually { problems() == ["consoles at \(pattern.text): " + problem] })
        mkdir(folder.path + "/vms", 0o755)
        let chardev = try Chardev(folder.path + "/vms/web.sock")
        _ = try chardev.accept()
        #expect(eventually { problems().isEmpty })
        let other = try DiscoveryPattern(folder.path + "/other/{name}.sock")
        fixture.hub.setPatterns([other])
        #expect(eventually { problems().count == 1 })
        // It stays a problem, and is logged once.
        let third = try DiscoveryPattern(folder.path + "/third/{name}.sock")
        fixture.hub.setPatterns([other, third])
        #expect(eventually { problems().count == 2 })
        #expect(fixture.messages.count { $0.contains("/other does not exist") } == 1)
        fixture.hub.setPatterns([pattern])
        #expect(eventually { problems().isEmpty })
    }

    @Test("a link is refused by its name, once, whatever its target: a socket, a folder of sockets, a device")
    func links() throws {
        let folder = TemporaryFolder()
        let fixture = try watch(folder)
        let vms = folder.path + "/vms"
        let chardev = try Chardev(vms + "/good/web.sock")
        let guest = try chardev.accept()
        #expect(eventually { isConnected("web", in: fixture) })
        let targets = [
            ("evil/spy.sock", chardev.path), ("evil/own.sock", folder.path + "/run/good.web.sock"),
            ("evil/log.sock", "/dev/kmsg"), ("evil/null.sock", "/dev/null"), ("evil/tty.sock", "/dev/ptmx"),
            ("friend", vms + "/good"),
        ]
        for (name, target) in targets {
            symlink(target, vms + "/" + name)
        }
        for (name, _) in targets {
            #expect(says("\(vms)/\(name) is not captured: it is a symbolic link", in: fixture), "\(name)")
        }
        // Another event triggers another scan.
        let other = try Chardev(vms + "/evil/mine.sock")
        let tenant = try other.accept()
        #expect(eventually { isConnected("mine", in: fixture) })
        #expect(fixture.hub.statuses().map(\.definition.key.name) == ["mine", "web"])
        #expect(fixture.messages.filter { $0.contains("symbolic link") }.count == targets.count)
        send("still\n", to: guest)
        send("mine\n", to: tenant)
        #expect(try eventually { try fixture.text("good.web").bytes.elementsEqual("still\n".utf8) })
    }

    @Test("a link that replaces a socket after its discovery is not followed")
    func swapped() throws {
        let folder = TemporaryFolder()
        let chardev = try Chardev(folder.path + "/victim.sock")
        mkdir(folder.path + "/vms", 0o755)
        let path = folder.path + "/vms/spy.sock"
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
        let found = try pattern.definition(at: .connect(path: path), ["name": "spy"])
        let opener = EndpointOpener(ownFolder: nil, acceptsOwnProcess: true)
        symlink(chardev.path, path)
        let error = #expect(throws: SystemError.self) { _ = try opener.open(found) }
        #expect(error?.code == ELOOP)
        unlink(path)
        link(chardev.path, path)
        _ = try opener.open(found)
    }

    @Test("links in the pattern's literal part belong to the administrator, and are followed")
    func literalPart() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/real", 0o755)
        symlink(folder.path + "/real", folder.path + "/vms")
        let fixture = try HubFixture(in: folder, patterns: [DiscoveryPattern(folder.path + "/vms/{name}.sock")])
        let chardev = try Chardev(folder.path + "/real/web.sock")
        let guest = try chardev.accept()
        send("here\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes.elementsEqual("here\n".utf8) })
        #expect(fixture.hub.statuses().first?.definition.endpoint == .connect(path: folder.path + "/vms/web.sock"))
    }

    @Test("two paths to one socket are one console: the second is reported, and captured when the first is dropped")
    func hardLinks() throws {
        let folder = TemporaryFolder()
        let fixture = try watch(folder)
        let chardev = try Chardev(folder.path + "/vms/good/web.sock")
        let guest = try chardev.accept()
        #expect(eventually { isConnected("web", in: fixture) })
        link(chardev.path, folder.path + "/vms/evil/spy.sock")
        #expect(eventually { !fixture.problems(of: "spy").isEmpty })
        let reason = "it leads to the same file as connect:\(chardev.path), which is the console of good/web/console0"
        #expect(fixture.problems(of: "spy").allSatisfy { $0.contains(reason) })
        #expect(says(reason, in: fixture))
        #expect(!isConnected("spy", in: fixture))
        send("web is here\n", to: guest)
        #expect(fixture.hub.remove(StreamKey(name: "web", namespace: "good")))
        let next = try chardev.accept()
        send("spy is here\n", to: next)
        #expect(eventually { isConnected("spy", in: fixture) && fixture.problems(of: "spy").isEmpty })
    }

    @Test("a path in another spelling, or through a link in the administrator's part, is not a second console")
    func spellings() throws {
        let folder = TemporaryFolder()
        let fixture = try HubFixture(in: folder)
        let chardev = try Chardev(folder.path + "/web.sock")
        let definition = { (name: String, path: String) in
            try ConsoleHub.Definition(key: StreamKey(name: name), endpoint: #require(Endpoint("connect:" + path)))
        }
        #expect(fixture.hub.add(try definition("web", chardev.path)) == .new)
        let guest = try chardev.accept()
        #expect(eventually { isConnected("web", in: fixture) })
        for path in [folder.path + "//web.sock", folder.path + "/./web.sock"] {
            let added = fixture.hub.add(try definition("twin", path))
            #expect(added != .new, "\(path)")
        }
        symlink(folder.path, folder.path + "/alias")
        #expect(fixture.hub.add(try definition("third", folder.path + "/alias/web.sock")) == .new)
        #expect(eventually { fixture.problems(of: "third").contains { $0.contains("the console of web/console0") } })
        #expect(!isConnected("third", in: fixture))
        send("web is here\n", to: guest)
    }

    @Test("Guestlog's own sockets are not captured, by any path; nor is this process itself")
    func ownSockets() throws {
        let folder = TemporaryFolder()
        let fixture = try HubFixture(in: folder)
        let chardev = try Chardev(folder.path + "/web.sock")
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        let own = folder.path + "/run/web.sock"
        #expect(eventually { fixture.hub.statuses().first?.passThrough == own })
        symlink(own, folder.path + "/loop.sock")
        for (name, path) in [("loop", folder.path + "/loop.sock"), ("direct", own)] {
            fixture.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: path)))
            #expect(eventually { fixture.problems(of: name).contains { $0.contains("Guestlog's own sockets") } })
        }
        #expect(fixture.hub.statuses().allSatisfy { $0.watchers == 0 })

        let strict = try HubFixture(acceptsOwnProcess: false)
        let mine = try Chardev(strict.folder.path + "/mine.sock")
        strict.hub.add(try .init(key: StreamKey(name: "mine"), endpoint: .connect(path: mine.path)))
        #expect(eventually { strict.problems(of: "mine").contains { $0.contains("Guestlog's own sockets") } })
    }

    @Test("a file of another kind than named is a problem with its reason, and is not changed")
    func kinds() throws {
        let folder = TemporaryFolder()
        let fixture = try HubFixture(in: folder)
        let file = folder.path + "/file"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        let refused: [(Endpoint, String)] = [
            (.terminal(path: file), "it is a regular file, not a pseudo-terminal"),
            (.terminal(path: "/dev/null"), "it is a character device, not a pseudo-terminal"),
            (.terminal(path: "/dev/ptmx"), "it is a character device, not a pseudo-terminal"),
            (.connect(path: file), "it is a regular file, not a socket"),
            (.connect(path: folder.path), "it is a directory, not a socket"),
            (.fifo(path: folder.path), "it is a directory, not a FIFO"),
        ]
        for (number, (endpoint, reason)) in refused.enumerated() {
            let error = #expect(throws: SystemError.self) { try endpoint.check() }
            #expect(error?.reason == reason)
            fixture.hub.add(try .init(key: StreamKey(name: "vm\(number)"), endpoint: endpoint))
            #expect(eventually { fixture.problems(of: "vm\(number)").contains { $0.contains(reason) } }, "\(endpoint)")
        }
        #expect(throws: SystemError.self) { try Endpoint.listen(path: "/proc/x.sock").check() }
        #expect(throws: SystemError.self) { try Endpoint.listen(path: file).check() }
        #expect(throws: SystemError.self) { try Endpoint.fifo(path: folder.path + "/none/x").check() }
        try Endpoint.connect(path: folder.path + "/later.sock").check()
        try Endpoint.listen(path: folder.path + "/new.sock").check()
        #expect(access(folder.path + "/new.sock", F_OK) != 0)
    }

    @Test(
        "below a watched folder a terminal must belong to the folder's owner; another's is refused, and its mode not changed",
        .enabled(if: geteuid() == 0, "giving a terminal to another user needs root: run the tests as root")
    )
    func terminals() throws {
        var (master, slave): (Int32, Int32) = (-1, -1)
        var name = [CChar](repeating: 0, count: 64)
        #expect(openpty(&master, &slave, &name, nil, nil) == 0)
        defer { [master, slave].forEach { close($0) } }
        let path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let owned = Endpoint.terminal(path: path)
        func opened() throws(SystemError) -> Descriptor { try owned.open(try owned.locate(trusted: "/dev")) }
        func isCanonical() -> Bool {
            var mode = termios()
            return tcgetattr(slave, &mode) == 0 && mode.c_lflag & tcflag_t(ICANON) != 0
        }
        chown(path, 65534, 5)
        let error = #expect(throws: SystemError.self) { _ = try opened() }
        #expect(error?.reason == "it belongs to user 65534, and the directory to user 0")
        #expect(isCanonical())
        chown(path, 0, 5)
        _ = try opened()
        #expect(!isCanonical())
    }

    @Test("canonically equivalent names are two VMs, each captured with its own log")
    func equivalentNames() throws {
        let folder = TemporaryFolder()
        let fixture = try watch(folder)
        let names = ["caf\u{e9}", "cafe\u{301}"]
        let chardevs = try names.map { try Chardev(folder.path + "/vms/good/\($0).sock") }
        let guests = try chardevs.map { try $0.accept().release() }
        for (name, guest) in zip(names, guests) {
            let line = "\(name.utf8.count)\n"
            #expect(write(guest, line, line.utf8.count) == line.utf8.count)
            let directory = VMIdentity(name: name, namespace: "good").directoryName
            #expect(try eventually { try fixture.text(directory).bytes.elementsEqual(line.utf8) })
        }
        #expect(fixture.hub.statuses().count == 2)
        guests.forEach { close($0) }
    }

    @Test("a name that is not UTF-8, and a non-UUID in place of a UUID, are reported once")
    func badNames() throws {
        let folder = TemporaryFolder()
        let patterns = ["{name}.sock", "{uuid}.id"].map { folder.path + "/" + $0 }
        let fixture = try HubFixture(in: folder, patterns: patterns.map { try DiscoveryPattern($0) })
        let path = Array((folder.path + "/bad").utf8) + [0xff] + Array(".sock\0".utf8)
        let isMade = path.withUnsafeBytes { mkfifo($0.baseAddress!.assumingMemoryBound(to: CChar.self), 0o600) } == 0
        defer { path.withUnsafeBytes { _ = unlink($0.baseAddress!.assumingMemoryBound(to: CChar.self)) } }
        #expect(isMade)
        mkfifo(folder.path + "/notuuid.id", 0o600)
        #expect(says("/bad\u{fffd}.sock is not captured: its name is not UTF-8", in: fixture))
        #expect(says("/notuuid.id is not captured: the part for {uuid}", in: fixture))
        mkfifo(folder.path + "/\(uuid).id", 0o600)
        #expect(eventually { fixture.hub.definitions().map(\.key.name) == [uuid] })
        #expect(fixture.messages.filter { $0.contains("is not captured") }.count == 2)
    }

    @Test("one UUID under two names, one endpoint or one stream twice: reported as a problem until the cause is gone")
    func conflicts() throws {
        let fixture = try HubFixture()
        func definition(_ name: String, _ path: String, uuid: String? = nil, isOnDemand: Bool = false) throws
            -> ConsoleHub.Definition
        {
            let key = StreamKey(name: name, uuid: uuid)
            return try .init(key: key, endpoint: .connect(path: path), isOnDemand: isOnDemand)
        }
        #expect(fixture.hub.add(try definition("db", "/nowhere/a", uuid: uuid)) == .new)
        let second = try definition("u3", "/nowhere/b", uuid: uuid)
        #expect(fixture.hub.add(second) != .new)
        #expect(fixture.problems(of: "u3").contains { $0.contains("the UUID \(uuid) is already used by db/console0") })
        #expect(fixture.hub.add(try definition("twin", "/nowhere/a")) != .new)
        #expect(
            fixture.problems(of: "twin").contains { $0.contains("connect:/nowhere/a is the console of db/console0") }
        )
        #expect(fixture.hub.add(try definition("db", "/nowhere/c", uuid: uuid)) != .new)
        #expect(fixture.problems(of: "db").contains { $0.contains("db/console0 is captured already") })
        #expect(fixture.messages.count { $0.contains("is not captured") } == 3)
        // The same definition again, as after a reload, is not reported.
        #expect(fixture.hub.add(try definition("db", "/nowhere/a", uuid: uuid)) != .new)
        #expect(fixture.messages.count { $0.contains("is not captured") } == 3)
        // A console that is only joined may exist besides a captured one.
        #expect(fixture.hub.add(try definition("u4", "/nowhere/d", uuid: uuid, isOnDemand: true)) == .new)

        #expect(fixture.hub.remove(StreamKey(name: "db", uuid: uuid)))
        #expect(fixture.hub.add(second) == .new)
        #expect(fixture.problems(of: "u3").isEmpty)
    }
}
