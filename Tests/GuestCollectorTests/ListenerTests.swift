// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestCollector

/// Listening sockets: passed to the next process, and opened later when they cannot be at once.
@Suite("Listeners of the collector", .blocking)
struct ListenerTests {
    private let folder = TemporaryFolder()
    private let fixture: CollectorFixture
    private let options: CollectorOptions
    /// A socket in the folder of a guest that is found, and one whose path is longer than a socket's address.
    private let found, long: String

    init() throws {
        fixture = try CollectorFixture()
        found = folder.path + "/vms/web/log.sock"
        long = folder.path + "/" + String(repeating: "long", count: 30) + "/log.sock"
        for socket in [found, long] {
            try LinuxFileSystem().makeDirectories(DirectoryHandle.split(socket).directory)
        }
        var options = CollectorOptions(port: nil, notifyPort: nil)
        options.guests = [CollectorOptions.Guest(vm: VMIdentity(name: "long"), endpoint: .unix(path: long))]
        let path = try PathPattern(folder.path + "/vms/{name}")
        options.patterns = [CollectorOptions.Pattern(path, .listen(name: "log.sock"))]
        self.options = options
    }

    private func collector() throws -> GuestCollector { try GuestCollector(options, capture: fixture.capture) }

    private func send(_ message: String, to path: String) throws {
        try GuestEnd(path).send("MESSAGE=\(message)\n\n")
    }

    @Test("a guest that connects while the process is replaced waits for the next one, wherever its socket is")
    func passed() throws {
        let first = try collector()
        try first.start()
        try send("before", to: found)
        try send("before", to: long)
        let passed = first.passListeners()
        first.stop()
        try send("between", to: found)
        try send("between", to: long)
        let second = try collector()
        for (name, descriptor) in passed {
            #expect(try second.inherit(name, Descriptor(owning: descriptor)))
        }
        try second.start()
        #expect(try eventually { try fixture.values(in: .journal, from: "web") == ["before", "between"] })
        #expect(try eventually { try fixture.values(in: .journal, from: "long") == ["before", "between"] })
        #expect(fixture.capture.problems.all.isEmpty)
        second.stop()
    }

    @Test("a socket that cannot be opened is a problem, and is opened when it can be")
    func later() throws {
        rmdir(DirectoryHandle.split(long).directory)
        let collector = try collector()
        try collector.start()
        #expect(fixture.capture.problems.all.map(\.subject) == ["collector " + long])
        mkdir(DirectoryHandle.split(long).directory, 0o755)
        #expect(eventually { (try? UnixSocket.connect(to: long)) != nil })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
        collector.stop()
    }
}
