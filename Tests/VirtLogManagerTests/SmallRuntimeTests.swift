// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing
import VirtLogManager

/// The runtime folder is full: no stream can be opened.
@Suite(.blocking, .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root: run the tests as root"))
struct SmallRuntimeTests {
    private let memory = SmallDisk(megabytes: 1)
    private let line = Array((String(repeating: "x", count: 1023) + "\n").utf8)
    /// In lines; more than a pipe holds.
    private static let output = 3000

    /// Prints lines as a guest does; returns whether its pipe was read meanwhile.
    private func prints(_ lines: Int, to pipe: Int32) -> Bool {
        _ = gl_fcntl(pipe, F_SETFL, Int(O_NONBLOCK))
        return (0..<lines).allSatisfy { _ in
            eventually { write(pipe, line, line.count) == line.count }
        }
    }

    /// Waits until the gap of all that was printed is stored.
    private func expectCounted(_ host: LogHost) throws {
        let bytes = Self.output * line.count
        #expect(try eventually { try host.stored("console0").lostBytes >= bytes })
        let stored = try host.stored("console0")
        #expect(stored.gaps.map(\.reason) == [.noRoom] && stored.lostBytes == bytes, "\(stored.gaps)")
        #expect(stored.gaps.first?.lines == UInt64(Self.output))
    }

    @Test("a log is opened, read and counted, and stored when there is room")
    func opened() throws {
        let host = try LogHost(runtime: memory.folder.path)
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        memory.fill(leaving: 0)
        let pipe = try #require(client.open(log), "the guest cannot start").pipe
        defer { close(pipe) }
        #expect(prints(Self.output, to: pipe))
        #expect(client.position(log)?.offset == 0)
        memory.clear()
        try expectCounted(host)
        #expect(prints(1, to: pipe))
        #expect(client.position(log)?.offset == UInt64(line.count))
        let stored = try host.stored("console0")
        #expect(stored.bytes == line)
        #expect(stored.markers.first?.detail.boot?.event == .powerOn, "the gap is in the boot that has lost the bytes")
    }

    @Test("a log of the previous process stays open, is read and counted, and stored when there is room")
    func resumed() throws {
        let host = try LogHost(runtime: memory.folder.path)
        var ends: [Int32] = [-1, -1]
        #expect(gl_pipe(&ends, O_CLOEXEC) == 0)
        defer { close(ends[1]) }
        memory.fill(leaving: 0)
        let owner = LogOwner(driver: "qemu", uuid: RawClient.uuid, name: "tiny")
        let log = host.path + "/a.log"
        host.resume(LogManager.InheritedLog(owner: owner, path: log, stream: .console0, descriptor: ends[0]))
        #expect(prints(Self.output, to: ends[1]))
        #expect(eventually { gl_bytes_waiting(ends[0]) == 0 })
        memory.clear()
        try expectCounted(host)
        #expect(prints(1, to: ends[1]))
        #expect(try eventually { try host.stored("console0").bytes == line })
    }

    @Test("what a log has lost is recorded when there is room, also after its end")
    func ended() throws {
        let host = try LogHost(runtime: memory.folder.path)
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        memory.fill(leaving: 0)
        let pipe = try #require(client.open(log)).pipe
        #expect(prints(Self.output, to: pipe))
        close(pipe)
        #expect(eventually { client.position(log) == nil }, "the log has not ended")
        memory.clear()
        try expectCounted(host)
        #expect(try eventually { try host.stored("console0").boots.last?.event == .closed })
    }

    @Test("a log without a word, opened and closed while there was no room, is recorded when there is some")
    func silent() throws {
        let host = try LogHost(runtime: memory.folder.path)
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        memory.fill(leaving: 0)
        close(try #require(client.open(log)).pipe)
        #expect(eventually { client.position(log) == nil }, "the log has not ended")
        memory.clear()
        #expect(try eventually { try host.stored("console0").boots.map(\.event) == [.powerOn, .closed] })
    }
}
