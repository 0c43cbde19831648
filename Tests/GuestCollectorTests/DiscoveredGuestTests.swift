// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestCollector

/// Guests that are found by the paths of their sockets.
@Suite("Guests found in folders", .blocking)
final class DiscoveredGuestTests {
    private let folder = TemporaryFolder()
    private let fixture: CollectorFixture
    private let collector: GuestCollector

    init() throws {
        mkdir(folder.path + "/vms", 0o755)
        fixture = try CollectorFixture()
        var options = CollectorOptions(port: 61_199, notifyPort: nil)
        let vms = folder.path + "/vms"
        options.patterns = [
            CollectorOptions.Pattern(try PathPattern(vms + "/{namespace}/{name}/v.sock"), .hybrid),
            CollectorOptions.Pattern(try PathPattern(vms + "/{namespace}/{name}/kata.sock"), .dial(port: 1025)),
            CollectorOptions.Pattern(try PathPattern(vms + "/{namespace}/{name}/port.sock"), .serial),
            CollectorOptions.Pattern(try PathPattern(vms + "/{namespace}/{name}"), .listen(name: "log.sock")),
        ]
        collector = try GuestCollector(options, capture: fixture.capture)
        try collector.start()
    }

    deinit {
        // The folders go with their test, which the collector would notice.
        collector.stop()
    }

    /// The folder of a VM, created.
    private func makeFolder(_ name: String, in namespace: String = "lab") -> String {
        let parent = "\(folder.path)/vms/\(namespace)"
        mkdir(parent, 0o755)
        mkdir("\(parent)/\(name)", 0o755)
        return "\(parent)/\(name)"
    }

    private func stored(_ stream: StreamName, of vm: String) throws -> [String] {
        try fixture.values(in: stream, from: vm)
    }

    private func connect(_ path: String) throws -> GuestEnd {
        #expect(eventually { (try? UnixSocket.connect(to: path)) != nil }, "\(path)")
        return try GuestEnd(path)
    }

    @Test("a VMM's socket that appears is served, each time it appears; when it goes the listener goes too")
    func hybrid() throws {
        let vm = makeFolder("web")
        for round in 1...3 {
            let vmm = try UnixSocket.listen(at: vm + "/v.sock")
            let guest = try connect(vm + "/v.sock_61199")
            guest.send("MESSAGE=m\(round)\n\n")
            #expect(try eventually { try stored(.journal, of: "lab.web") == (1...round).map { "m\($0)" } })
            unlink(vm + "/v.sock")
            #expect(eventually { access(vm + "/v.sock_61199", F_OK) != 0 })
            _ = vmm
        }
        collector.stop()
    }

    @Test("the collector listens in each folder that appears, and connects to each port that appears")
    func others() throws {
        let vm = makeFolder("db")
        try connect(vm + "/log.sock").send("MESSAGE=here\n\n")
        #expect(try eventually { try stored(.journal, of: "lab.db") == ["here"] })
        let port = try UnixSocket.listen(at: vm + "/kata.sock")
        var connection: GuestEnd?
        #expect(
            try eventually {
                if let socket = try UnixSocket.accept(port.raw) {
                    connection = try GuestEnd(socket)
                }
                return connection != nil
            }
        )
        let guest = try #require(connection)
        #expect(guest.receive() == Array("CONNECT 1025\n".utf8))
        guest.send("OK 1073741824\nplain\n")
        #expect(try eventually { try stored(.agent, of: "lab.db") == ["plain"] })
        collector.stop()
    }

    @Test("the list of listeners is made once for many guests that are found together")
    func listings() throws {
        collector.setGuests([], [])
        // It looks for no folder any more when a later job has run.
        collector.loop.perform {}
        for number in 0..<50 {
            _ = makeFolder("vm\(number)")
        }
        let before = collector.listings
        let path = try PathPattern(folder.path + "/vms/{namespace}/{name}")
        collector.setGuests([], [CollectorOptions.Pattern(path, .listen(name: "log.sock"))])
        #expect(eventually { collector.state.listeners.count { $0.hasSuffix("/log.sock") } == 50 })
        #expect(collector.listings - before <= 2)
    }

    @Test("a link is not followed, a VM that the configuration names keeps its socket, and a reload forgets patterns")
    func refused() throws {
        let vm = makeFolder("web")
        let outside = TemporaryFolder()
        symlink(outside.path, folder.path + "/vms/lab/evil")
        _ = try connect(vm + "/log.sock")
        #expect(access(outside.path + "/log.sock", F_OK) != 0)
        collector.setGuests([], [])
        #expect(eventually { access(vm + "/log.sock", F_OK) != 0 })
        let named = CollectorOptions.Guest(vm: VMIdentity(name: "other"), endpoint: .unix(path: vm + "/log.sock"))
        let pattern = CollectorOptions.Pattern(
            try PathPattern(folder.path + "/vms/{namespace}/{name}"),
            .listen(name: "log.sock")
        )
        collector.setGuests([named], [pattern])
        try connect(vm + "/log.sock").send("MESSAGE=m\n\n")
        #expect(try eventually { try stored(.journal, of: "other") == ["m"] })
        collector.stop()
    }
}
