// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Two processes that write one VM: libvirt's log daemon its console, `guestlog serve` what its agent sends.
@Suite("A VM that two processes write", .blocking)
struct SharedVMTests {
    let folder = TemporaryFolder()
    let clock = ManualClock()
    private let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    private let guest = StreamName("guest")!

    private var store: Store { Store(root: folder.path) }

    private func vm(hostBoot: String = "boot-1") throws -> VMStore {
        try VMStore(store: store, name: "web", uuid: uuid, hostBoot: hostBoot, now: clock.time)
    }

    private func append(_ text: String, to writer: StreamWriter) throws {
        clock.advance(1000)
        try Array(text.utf8).withUnsafeBytes { try writer.append($0, time: clock.time) }
    }

    private func text(_ stream: StreamName) throws -> StoredText {
        try StoredText(of: StreamID(vm: uuid, stream: stream), in: store)
    }

    private func state() throws -> WriterState? {
        try WriterState(at: store.path(of: uuid), on: store.fileSystem)
    }

    @Test("each writes its own streams, and none that the other has")
    func streams() throws {
        var daemon: VMStore? = try vm()
        let collector = try vm()
        try append("booting\n", to: try #require(daemon).open(.console0, now: clock.time))
        try append("hello\n", to: collector.open(guest, now: clock.time))
        #expect(throws: SystemError.self) { try collector.open(.console0, now: clock.time) }
        #expect(throws: SystemError.self) { try collector.end(at: clock.time) }
        #expect(store.isWritten(collector.vm))
        daemon = nil
        #expect(store.isWritten(collector.vm))
        try append("again\n", to: collector.open(.console0, now: clock.time))
        #expect(try text(.console0).bytes == Array("booting\nagain\n".utf8))
        #expect(try text(guest).bytes == Array("hello\n".utf8))
        try collector.end(at: clock.time)
    }

    @Test("it is closed cleanly when the last has closed it, and the ends of all streams are known")
    func closing() throws {
        var (daemon, collector): (VMStore?, VMStore?) = (try vm(), try vm())
        try append("booting\n", to: try #require(daemon).open(.console0, now: clock.time))
        try append("hello\n", to: try #require(collector).open(guest, now: clock.time))
        try daemon?.closeCleanly()
        daemon = nil
        #expect(try state()?.hostBoot == "boot-1")
        try collector?.closeCleanly()
        collector = nil
        #expect(try state()?.hostBoot == nil)
        #expect(try state()?.ends.mapValues(\.offset) == [.console0: 8, guest: 6])
        let next = try vm(hostBoot: "boot-2")
        _ = try next.open(.console0, now: clock.time)
        #expect(try text(.console0).gaps.isEmpty)
    }

    @Test("it is closed cleanly also when both processes close it at the same time")
    func closingTogether() throws {
        let (daemon, collector) = (try vm(), try vm())
        try append("booting\n", to: daemon.open(.console0, now: clock.time))
        try append("hello\n", to: collector.open(guest, now: clock.time))
        try daemon.closeCleanly()
        try collector.closeCleanly()
        #expect(try state()?.hostBoot == nil)
        withExtendedLifetime((daemon, collector)) {}
    }

    @Test("after the host went down each stream is repaired once, whichever process opens it")
    func repair() throws {
        var before: VMStore? = try vm()
        for stream in [StreamName.console0, guest] {
            try append("old\n", to: try #require(before).open(stream, now: clock.time))
        }
        before = nil
        for _ in 0..<2 {
            let (daemon, collector) = (try vm(hostBoot: "boot-2"), try vm(hostBoot: "boot-2"))
            try append("new\n", to: daemon.open(.console0, now: clock.time))
            try append("new\n", to: collector.open(guest, now: clock.time))
        }
        for stream in [StreamName.console0, guest] {
            #expect(try text(stream).gaps.map(\.reason) == [.hostRestart])
            #expect(try text(stream).bytes == Array("old\nnew\nnew\n".utf8))
        }
        #expect(try state()?.unrepaired == [])
        #expect(try state()?.lastStride == 2, "each continued at a position of its own")
    }

    @Test("a VM that an earlier version writes cannot be opened: that version locks the whole VM")
    func earlierVersion() throws {
        _ = try vm()
        let file = try StoredFile(store.path(of: uuid) + "/lock", .update, on: store.fileSystem)
        #expect(file.tryLock())
        #expect(throws: SystemError.self) { try vm() }
    }

    @Test("what another process has stored counts against the total")
    func total() throws {
        var usages: [Int] = []
        var random = SeededGenerator(seed: 7)
        let noise = (0..<1_000_000).map { _ in UInt8.random(in: 32...126, using: &random) }
        let names = (0..<4).map { "vm\($0)" }
        let retention = Retention(store: store, total: 1_500_000) { _ in Quota(bytes: 1 << 30) }
        _ = try retention.enforceAll(now: clock.time)
        // The other is not the process that checks all VMs.
        let other = Retention(store: store, total: 1_500_000) { _ in Quota(bytes: 1 << 30) }
        _ = try other.enforceAll(now: clock.time)
        for name in names {
            let vm = try VMStore(store: store, name: name, hostBoot: "boot-1", now: clock.time)
            let writer = try vm.open(.console0, now: clock.time)
            let sealer = Sealer(store: store, retention: other, clock: clock)
            for start in stride(from: 0, to: noise.count, by: 100_000) {
                try noise[start..<min(noise.count, start + 100_000)].withUnsafeBytes {
                    try writer.append($0, time: clock.time)
                }
                for base in writer.takeClosedPairs() {
                    try sealer.seal(base, of: StreamID(vm: name, stream: .console0))
                }
                try sealer.synchronize()
            }
            usages.append(try names.filter { store.vm(in: $0) != nil }.reduce(0) { try $0 + store.usage(of: $1) })
        }
        #expect(usages.allSatisfy { $0 < 1_500_000 + 2 * StoreLimits.blockLimit }, "\(usages)")
    }

    @Test("a VM that is started again while it is removed stays")
    func revived() throws {
        var ended: VMStore? = try vm()
        try append("old\n", to: try #require(ended).open(.console0, now: clock.time))
        try ended?.end(at: clock.time)
        let listed = try #require(ended).vm
        ended = nil
        let again = try vm()
        let retention = Retention(store: store)
        #expect(retention.remove([listed], at: clock.time) == nil)
        #expect(try text(.console0).bytes == Array("old\n".utf8))
        _ = again
    }
}
