// SPDX-License-Identifier: Apache-2.0

import CLinux
import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

@Suite(.blocking) struct ConsoleTests {
    @Test("a guest's output is stored, and shown to a watcher, while another client types")
    func storesAndFansOut() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        #expect(eventually { fixture.hub.statuses().first?.isConnected == true })
        let watching = try Descriptor.socketPair()
        let typing = try Descriptor.socketPair()
        #expect(fixture.hub.attach(key, try watching.second.duplicate(), as: .watch, who: "a test"))
        #expect(fixture.hub.attach(key, try typing.second.duplicate(), as: .write, who: "another"))
        #expect(eventually { fixture.hub.statuses().first?.watchers == 2 })

        send("login: ", to: guest)
        #expect(receive(7, from: watching.first) == "login: ")
        send("root\n", to: typing.first)
        #expect(receive(5, from: guest) == "root\n")
        send("root\nwelcome\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("login: root\nwelcome\n".utf8) })
        #expect(try fixture.text("web").boots.map(\.event) == [.powerOn])
    }

    @Test("a console in a watched folder is captured without being named")
    func discovers() throws {
        let folder = TemporaryFolder()
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}/console.sock")
        let fixture = try HubFixture(in: folder, patterns: [pattern])
        mkdir(folder.path + "/vms", 0o755)
        mkdir(folder.path + "/vms/alpha", 0o755)
        let chardev = try Chardev(folder.path + "/vms/alpha/console.sock")
        let guest = try chardev.accept()
        send("hello\n", to: guest)
        #expect(try eventually { try fixture.text("alpha").bytes == Array("hello\n".utf8) })
    }

    @Test("while the control thread waits for a dead mount, every guest that is connected or connects is drained")
    func drainsBesideADeadMount() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let listened = fixture.folder.path + "/listened.sock"
        fixture.hub.add(try .init(key: StreamKey(name: "dialled"), endpoint: .connect(path: chardev.path)))
        fixture.hub.add(try .init(key: StreamKey(name: "listened"), endpoint: .listen(path: listened)))
        let dialled = try chardev.accept()
        #expect(eventually { access(listened, F_OK) == 0 })
        let mount = OneShot()
        fixture.hub.control.post { mount.wait() }
        defer { mount.signal() }
        fixture.hub.add(try .init(key: StreamKey(name: "dead"), endpoint: .fifo(path: fixture.folder.path + "/fifo")))
        let connected = connect(to: listened)
        try connected.setNonBlocking(false)
        let much = String(repeating: "more than a socket holds\n", count: 40_000)
        send(much, to: dialled)
        send(much, to: connected)
        #expect(try eventually { try fixture.text("dialled").bytes.count == much.utf8.count })
        #expect(try eventually { try fixture.text("listened").bytes.count == much.utf8.count })
        #expect(fixture.hub.statuses().map(\.isConnected) == [false, true, true])
    }

    /// Types until a guest that does not read blocks the writer too; returns what was typed.
    private func typeMuch(_ typing: borrowing Descriptor) -> String {
        let raw = typing.raw
        var typed: [UInt8] = []
        var rest: ArraySlice<UInt8> = []
        func type() -> Bool {
            if rest.isEmpty {
                rest = Array("after \(typed.count) bytes a user pastes more into a console\n".utf8)[...]
            }
            let count = rest.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            typed += rest.prefix(max(0, count))
            rest = rest.dropFirst(max(0, count))
            return count > 0
        }
        // Long enough for the hub to read everything it accepts.
        while eventually(within: 1, type) {}
        return String(decoding: typed, as: UTF8.self)
    }

    @Test("joining a console is logged, by each way, with the client's rights")
    func keepsRecord() throws {
        let fixture = try HubFixture()
        let key = StreamKey(name: "web")
        let path = fixture.folder.path + "/run/web.sock"
        fixture.hub.add(try .init(key: key, endpoint: .listen(path: fixture.folder.path + "/vm.sock")))
        #expect(eventually { access(path, F_OK) == 0 })
        let program = connect(to: path)
        let user = "user \(geteuid()) (process \(getpid()))"
        #expect(eventually { fixture.messages == ["console web/console0: \(user) writes"] })
        let others = try Descriptor.socketPair()
        for (role, who) in [(WatcherRole.watch, "ann"), (.write, "bob"), (.steal, "eve")] {
            #expect(fixture.hub.attach(key, try others.second.duplicate(), as: role, who: who))
        }
        let expected = ["ann watches", "bob watches: \(user) is writing", "eve writes, taking over from \(user)"]
        #expect(eventually { fixture.messages.dropFirst() == expected.map { "console web/console0: " + $0 }[...] })
        _ = program.raw
    }

    @Test("a writer's input reaches the guest completely, although the writer left before the guest read it")
    func typesToTheEnd() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        #expect(eventually { fixture.hub.statuses().first?.isConnected == true })
        let typed: String
        do {
            let typing = try Descriptor.socketPair()
            #expect(fixture.hub.attach(key, try typing.second.duplicate(), as: .write, who: "a test"))
            #expect(eventually { fixture.hub.statuses().first?.writer != nil })
            typed = typeMuch(typing.first)
        }
        // The guest writes while the writer has left.
        send("busy\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("busy\n".utf8) })
        #expect(receive(typed.utf8.count, from: guest) == typed)
        #expect(eventually { fixture.hub.statuses().first?.watchers == 0 })
    }

    @Test("a writer that was blocked by a VMM continues to type when the next one connects")
    func typesToTheNext() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/vm.sock"
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .listen(path: path)))
        #expect(eventually { access(path, F_OK) == 0 })
        let first = connect(to: path)
        let typing = try Descriptor.socketPair()
        #expect(fixture.hub.attach(key, try typing.second.duplicate(), as: .write, who: "a test"))
        #expect(eventually { fixture.hub.statuses().first?.isConnected == true })
        _ = typeMuch(typing.first)
        let next = connect(to: path)
        #expect(eventually { hasHungUp(first) })
        // Input for the previous VMM may be lost; input for this one is not.
        let raw = typing.first.raw
        #expect(eventually { write(raw, "\nhere\n", 6) == 6 })
        var heard: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        #expect(
            eventually {
                let count = read(next.raw, &buffer, buffer.count)
                heard += buffer.prefix(max(0, count))
                return heard.suffix(6).elementsEqual("\nhere\n".utf8)
            }
        )
    }

    /// Whether the other end of a connection is closed, also when there is still something to read.
    private func hasHungUp(_ connection: borrowing Descriptor) -> Bool {
        var polled = pollfd(fd: connection.raw, events: 0, revents: 0)
        return poll(&polled, 1, 0) == 1 && polled.revents & Int16(POLLHUP) != 0
    }

    @Test("a discovered console that is gone is removed after a while, with its socket, and may be discovered again")
    func forgets() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/vms", 0o755)
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
        let fixture = try HubFixture(in: folder, patterns: [pattern], forgetsAfter: 50_000)
        let passThrough = folder.path + "/run/alpha.sock"
        for _ in 0..<2 {
            let chardev = try Chardev(folder.path + "/vms/alpha.sock")
            do {
                let guest = try chardev.accept()
                send("hello\n", to: guest)
                #expect(eventually { access(passThrough, F_OK) == 0 })
                unlink(chardev.path)
            }
            #expect(eventually { fixture.hub.statuses().isEmpty })
            #expect(eventually { access(passThrough, F_OK) != 0 })
        }
        #expect(try eventually { try fixture.text("alpha").bytes == Array("hello\nhello\n".utf8) })
    }

    @Test("a socket without permission is connected as soon as there is permission")
    func seesAccess() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/vms", 0o755)
        let log = Mutex<[String]>([])
        let loop = try EventLoop()
        let diagnostics = Diagnostics { _, message in log.withLock { $0.append(message) } }
        let discovery = try Discovery(loop: loop, diagnostics: diagnostics, problems: Problems())
        let path = folder.path + "/vms/alpha.sock"
        let listener = try UnixSocket.listen(at: path)
        discovery.follow(path)
        discovery.onChanged = { path in
            log.withLock { $0.append(path) }
            loop.stop()
        }
        chmod(path, 0o600)
        loop.run()
        #expect(log.withLock { $0 } == [path])
        _ = listener.raw
    }

    @Test("without watches a warning is logged once, and scans find what has appeared and gone")
    func looksWithoutWatches() throws {
        let folder = TemporaryFolder()
        let log = Mutex<[String]>([])
        let diagnostics = Diagnostics { _, message in log.withLock { $0.append("said: " + message) } }
        let refusal = SystemError("inotify_init", code: EMFILE)
        let problems = Problems()
        let discovery = try Discovery(
            loop: EventLoop(),
            diagnostics: diagnostics,
            problems: problems,
            watch: .failure(refusal)
        )
        discovery.setPatterns([try DiscoveryPattern(folder.path + "/{name}.sock")])
        discovery.onFound = { found in log.withLock { $0.append("found " + found.key.name) } }
        discovery.onGone = { path in log.withLock { $0.append("gone " + path.dropFirst(folder.path.count)) } }
        func events() -> [String] {
            log.withLock { log in
                defer { log = [] }
                return log
            }
        }
        discovery.begin()
        let problem =
            "cannot watch for consoles: \(refusal); scanning every 30 s"
            + "; raise fs.inotify.max_user_instances with sysctl(8), or this program's limit of open files (ulimit -n, "
            + "LimitNOFILE=)"
        #expect(events() == ["said: " + problem])
        #expect(problems.all.map(\.problem) == [problem])
        let chardev = try Chardev(folder.path + "/alpha.sock")
        discovery.scanAll()
        #expect(events() == ["found alpha"])
        discovery.follow(chardev.path)
        unlink(chardev.path)
        discovery.scanAll()
        #expect(events() == ["gone /alpha.sock"])
    }

    @Test("a dropped console is not discovered again, nor by the next process, until its path has gone")
    func staysDropped() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/vms", 0o755)
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
        let chardev = try Chardev(folder.path + "/vms/alpha.sock")
        let witness = try Chardev(folder.path + "/vms/beta.sock")
        func names(_ fixture: HubFixture) -> [String] { fixture.hub.statuses().map(\.definition.key.name) }
        do {
            let fixture = try HubFixture(in: folder, patterns: [pattern])
            _ = try witness.accept()
            #expect(eventually { names(fixture) == ["alpha", "beta"] })
            #expect(fixture.hub.remove(StreamKey(name: "alpha")))
            // Later events in the folder trigger a scan.
            close(open(folder.path + "/vms/other", O_CREAT | O_WRONLY, 0o600))
            let gamma = try Chardev(folder.path + "/vms/gamma.sock")
            _ = try gamma.accept()
            #expect(names(fixture) == ["beta", "gamma"])
            fixture.stop()
        }
        let fixture = try HubFixture(in: folder, patterns: [pattern])
        _ = try witness.accept()
        #expect(eventually { names(fixture).contains("gamma") })
        #expect(!names(fixture).contains("alpha"))
        unlink(chardev.path)
        let successor = try Chardev(chardev.path)
        _ = try successor.accept()
        #expect(names(fixture).contains("alpha"))
        // A named console is captured again at once.
        #expect(fixture.hub.remove(StreamKey(name: "alpha")))
        let byHand = try ConsoleHub.Definition(key: StreamKey(name: "alpha"), endpoint: .connect(path: successor.path))
        #expect(fixture.hub.add(byHand) == .new)
    }

    @Test("a console that is closed as soon as it is opened is dialled at growing intervals")
    func backsOff() throws {
        var backoff = Backoff()
        var delays: [Int64] = []
        repeat {
            delays.append(backoff.next())
        } while !backoff.isSlow
        #expect(delays.count == 11 && zip(delays, delays.dropFirst()).allSatisfy { $0 * 2 == $1 })
        #expect([backoff.next(), backoff.next()] == [30_000_000, 30_000_000])

        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        let began = SystemClock().monotonicMicroseconds()
        for _ in 0..<10 {
            _ = try chardev.accept()
        }
        // 2 + 4 + … + 64 ms; the first delays may repeat once the folder is watched.
        #expect(SystemClock().monotonicMicroseconds() - began >= 126_000)
        let guest = try chardev.accept()
        send("here\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("here\n".utf8) })
    }

    @Test(
        "a reset and a panic on a live console are recorded, many banners count as one reset, and a VMM that reconnects is the same machine"
    )
    func seesBoots() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        do {
            let guest = try chardev.accept()
            send("SeaBIOS (version 1)\r\n[    0.000000] Linux version 6.1\r\nwork\r\n", to: guest)
            send("[    9.100000] Kernel panic - not syncing: oops\r\n", to: guest)
            let banners = "SeaBIOS (version 1)\r\n[    0.000000] Linux version 6.1\r\n"
            send(String(repeating: banners, count: 50), to: guest)
        }
        let guest = try chardev.accept()
        send("again\n", to: guest)
        #expect(try eventually { try fixture.text("web").bytes.suffix(6).elementsEqual("again\n".utf8) })
        let events = try fixture.text("web").boots.map(\.event)
        #expect(events == [.powerOn, .panic, .firmware, .closed])
    }

    @Test("a closed pseudo-terminal is not reopened after its number was reused; a recreated link is")
    func terminals() throws {
        let fixture = try HubFixture()
        func open() throws -> (master: Int32, path: String) {
            var name = [CChar](repeating: 0, count: 64)
            // Not openpty(3), whose descriptors the children of other tests inherit.
            let master = gl_open_terminal(&name, name.count)
            #expect(master >= 0)
            return (master, String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        let link = fixture.folder.path + "/link"
        let first = try open()
        let second = try open()
        symlink(second.path, link)
        for (name, path) in [("plain", first.path), ("linked", link)] {
            fixture.hub.add(try .init(key: StreamKey(name: name), endpoint: .terminal(path: path)))
        }
        #expect(eventually { fixture.hub.statuses().allSatisfy(\.isConnected) })
        for master in [first.master, second.master] {
            write(master, "mine\n", 5)
        }
        let stored = { (vm: String) in (try? fixture.text(vm).bytes) ?? [] }
        #expect(eventually { !stored("plain").isEmpty && !stored("linked").isEmpty })
        close(first.master)
        close(second.master)
        #expect(eventually { fixture.hub.statuses().allSatisfy { !$0.isConnected } })
        // Other users have these numbers now, and their output must not be read.
        let others = try (0..<8).map { _ in try open() }
        others.forEach { write($0.master, "secret\n", 7) }
        let third = try open()
        unlink(link)
        symlink(third.path, link)
        #expect(eventually { fixture.hub.statuses().contains { $0.isConnected } })
        write(third.master, "again\n", 6)
        #expect(eventually { String(decoding: stored("linked"), as: UTF8.self).contains("again") })
        for vm in ["plain", "linked"] {
            #expect(!String(decoding: stored(vm), as: UTF8.self).contains("secret"))
        }
        (others + [third]).forEach { close($0.master) }
    }
}
