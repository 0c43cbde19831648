// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// What one process leaves to the next: descriptors, with the service manager's copies, and entries.
@Suite(.blocking) struct HandOverTests {
    private let folder = TemporaryFolder()
    private let manager: StandInManager

    init() throws {
        manager = try StandInManager(in: folder.path)
    }

    private func definition(_ name: String, _ path: String) throws -> ConsoleHub.Definition {
        try .init(key: StreamKey(name: name), endpoint: .connect(path: path))
    }

    private func expect(_ text: String, in fixture: HubFixture) throws {
        #expect(try eventually { try fixture.text("web").bytes.elementsEqual(text.utf8) })
    }

    @Test("a console is stored under a short name, under which the next process continues it")
    func shortNames() throws {
        let name = "a-virtual-machine-with-a-long-name-of-which-there-are-some-thousands"
        let chardev = try Chardev(folder.path + "/vm.sock")
        let fixture = try HubFixture(in: folder, manager: manager.client)
        fixture.hub.add(try definition(name, chardev.path))
        let guest = try chardev.accept()
        send("before\n", to: guest)
        #expect(eventually { manager.names == ["c1"] })
        #expect(try eventually { try !fixture.text(name).bytes.isEmpty })
        let passed = fixture.handOver()
        #expect(passed.map(\.name) == ["c1"])
        let next = try HubFixture(in: folder, manager: manager.client, inheriting: passed)
        send("after\n", to: guest)
        #expect(try eventually { try next.text(name).bytes.elementsEqual("before\nafter\n".utf8) })
        #expect(try next.text(name).gaps.isEmpty)
        #expect(manager.names == ["c1"])
    }

    @Test("the descriptor that an earlier version has stored under a long name is continued, and gets a short one")
    func formerNames() throws {
        let name = "console-web%2Econsole0"
        let entry = #"{"descriptor":"\#(name)","name":"web","stream":"console0","endpoint":"connect:/nowhere/web"}"#
        for part in ["/run", "/run/held"] {
            try LinuxFileSystem().makeDirectory(folder.path + part)
        }
        try LinuxFileSystem().replace(name + ".json", in: folder.path + "/run/held", with: Array(entry.utf8))
        let pair = try Descriptor.socketPair()
        manager.client.store(pair.second.raw, as: name)
        let fixture = try HubFixture(in: folder, manager: manager.client, inheriting: manager.copies())
        send("here\n", to: pair.first)
        try expect("here\n", in: fixture)
        #expect(eventually { manager.names == ["c1"] })
        let held = try LinuxFileSystem().names(in: folder.path + "/run/held")
        #expect(held == ["c1.json"])
        #expect(fixture.handOver().map(\.name) == ["c1"])
    }

    @Test("a console that a client has added stays noted when it is handed over, until a watched folder has it")
    func addedByClient() throws {
        mkdir(folder.path + "/vms", 0o755)
        let chardev = try Chardev(folder.path + "/vms/web.sock")
        var fixture = try HubFixture(in: folder, manager: manager.client)
        #expect(fixture.hub.addLasting(try definition("web", chardev.path)) == .new)
        let guest = try chardev.accept()
        send("1\n", to: guest)
        try expect("1\n", in: fixture)
        fixture = try HubFixture(in: folder, manager: manager.client, inheriting: fixture.handOver())
        #expect(fixture.hub.table.addedConsoles.map(\.key.name) == ["web"])
        send("2\n", to: guest)
        try expect("1\n2\n", in: fixture)
        let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock", plainFile: folder.path + "/{name}.log")
        let passed = fixture.handOver()
        fixture = try HubFixture(in: folder, manager: manager.client, inheriting: passed, patterns: [pattern])
        #expect(fixture.hub.definitions().map(\.plainFile?.path) == [folder.path + "/web.log"])
        #expect(fixture.hub.table.addedConsoles.isEmpty)
        send("3\n", to: guest)
        try expect("1\n2\n3\n", in: fixture)
    }

    @Test("a stored descriptor that the next process does not get is closed, and its machine is still known")
    func lostDescriptor() throws {
        let chardev = try Chardev(folder.path + "/vm.sock")
        let fixture = try HubFixture(in: folder, manager: manager.client)
        fixture.hub.add(try definition("web", chardev.path))
        let guest = try chardev.accept()
        send("before\n", to: guest)
        try expect("before\n", in: fixture)
        #expect(eventually { manager.names == ["c1"] })
        fixture.handOver().forEach { close($0.descriptor) }
        let next = try HubFixture(in: folder, manager: manager.client)
        #expect(eventually { manager.names.isEmpty })
        next.hub.add(try definition("web", chardev.path))
        let again = try chardev.accept()
        send("after\n", to: again)
        try expect("before\nafter\n", in: next)
        #expect(try next.text("web").boots.map(\.event) == [.powerOn])
        #expect(eventually { manager.names == ["c1"] })
    }

    @Test("a console that is found while the others are handed over is left to the next process")
    func foundWhileStopping() throws {
        let chardev = try Chardev(folder.path + "/web.sock")
        let late = try Chardev(folder.path + "/late.sock")
        let fixture = try HubFixture(in: folder, manager: manager.client)
        fixture.hub.add(try definition("web", chardev.path))
        let guest = try chardev.accept()
        send("before\n", to: guest)
        #expect(eventually { manager.names == ["c1"] })
        // The shards are busy, so the stop takes until `resume`.
        let resume = Semaphore()
        let shards = fixture.capture.shards
        shards.forEach { $0.loop.post { resume.wait() } }
        let result = Mutex<ConsoleHub.AddResult?>(nil)
        let found = try definition("late", late.path)
        let discovery = try WorkerThread(name: "found") { [hub = fixture.hub] in
            _ = eventually { hub.state.withLock(\.isStopping) }
            result.withLock { $0 = hub.add(found) }
            shards.forEach { _ in resume.signal() }
        }
        let passed = fixture.handOver()
        discovery.join()
        #expect(result.withLock { $0 } == .stopping)
        #expect(passed.map(\.name) == manager.names)
        send("after\n", to: guest)
        passed.forEach { close($0.descriptor) }
    }

    @Test("a descriptor that cannot be drained is not left to the service manager, whose copy nobody would read")
    func notDrained() throws {
        let name = "c1"
        let entry = #"{"descriptor":"c1","name":"web","stream":"console0","endpoint":"connect:/nowhere/web"}"#
        for part in ["/run", "/run/held"] {
            try LinuxFileSystem().makeDirectory(folder.path + part)
        }
        try LinuxFileSystem().replace(name + ".json", in: folder.path + "/run/held", with: Array(entry.utf8))
        // epoll refuses a file, as it refuses every descriptor when the kernel has no memory.
        let file = try Descriptor.unnamedFile(in: folder.path)
        manager.client.store(file.raw, as: name)
        let fixture = try HubFixture(in: folder, manager: manager.client, inheriting: manager.copies())
        #expect(eventually { manager.names.isEmpty })
        #expect(try LinuxFileSystem().names(in: folder.path + "/run/held").isEmpty)
        #expect(fixture.hub.definitions().map(\.key.name) == ["web"], "it is dialled again")
    }
}
