// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// What retention removes, and what it keeps.
@Suite(.blocking) struct RetentionTests {
    let folder = TemporaryFolder()

    @Test("the oldest segments are removed first, and the rest is read after a gap that reports this")
    func evictsOldest() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 400_000))
        let text = consoleText(4_000_000)
        for start in stride(from: 0, to: text.count, by: 100_000) {
            try fixture.append(Array(text[start..<min(text.count, start + 100_000)]))
            try fixture.sealAndSync()
            #expect(try fixture.store.usage(of: fixture.stream.vm) <= 400_000 + 2 * StoreLimits.blockLimit)
        }
        let reading = try fixture.read()
        let first = try #require(reading.runs.first)
        #expect(reading.runs.count == 1 && first.upperBound == 4_000_000)
        #expect(reading.bytes == Array(text[Int(first.lowerBound)...]))
        #expect(reading.missing == [.init(from: 0, to: first.lowerBound, reason: .retention)])
    }

    @Test("a vacuum leaves what was asked for, the newest segment at least, and the rest is read after a gap")
    func vacuum() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(4_000_000)
        for start in stride(from: 0, to: text.count, by: 500_000) {
            try fixture.append(Array(text[start..<start + 500_000]))
            try fixture.sealAndSync()
        }
        let retention = Retention(store: fixture.store)
        let vms = try fixture.store.vms()
        let before = try fixture.store.usage(of: fixture.stream.vm)
        let none = try retention.vacuum(vms, to: VacuumLimits(bytes: before), now: fixture.clock.time)
        #expect(none == Retention.Freed())
        let freed = try retention.vacuum(vms, to: VacuumLimits(bytes: before / 2), now: fixture.clock.time)
        let left = try fixture.store.usage(of: fixture.stream.vm)
        #expect(freed.files > 0 && left <= before / 2)
        let reading = try fixture.read()
        let first = try #require(reading.runs.first)
        #expect(reading.bytes == Array(text[Int(first.lowerBound)...]))
        #expect(reading.missing == [.init(from: 0, to: first.lowerBound, reason: .retention)])
        // What is written next is stored as usual.
        _ = try retention.vacuum(vms, to: VacuumLimits(bytes: 0), now: fixture.clock.time)
        try fixture.append("on it goes\n")
        #expect(try fixture.read().bytes.suffix(11).elementsEqual("on it goes\n".utf8))
    }

    @Test("pairs that wait for the sealer are removed after the segments before them: no hole in the middle")
    func evictsInOrder() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(4_000_000)
        try fixture.append(Array(text[..<300_000]))
        try fixture.sealAndSync()
        try fixture.append(Array(text[300_000...]))
        let tight = Retention(store: fixture.store) { _ in Quota(bytes: 600_000) }
        _ = try tight.enforceAll(now: fixture.clock.time)
        let early = try fixture.read()
        #expect(early.missing.map(\.reason) == [.retention])
        #expect(early.runs.count == 1)
        try fixture.sealAndSync()
        try fixture.append("on it goes\n")
        let late = try fixture.read()
        #expect(late.missing == early.missing)
        #expect(late.bytes == early.bytes + Array("on it goes\n".utf8))
    }

    @Test("a segment that is sealed but not synced is removed with its pairs, and the sealer continues")
    func evictsUnsynced() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(2_000_000)
        try fixture.append(text)
        for base in fixture.writer.takeClosedPairs() {
            try fixture.sealer.seal(base, of: fixture.stream)
        }
        let tight = Retention(store: fixture.store) { _ in Quota(bytes: 300_000) }
        #expect(try tight.enforceAll(now: fixture.clock.time).files == 1)
        try fixture.append(consoleText(300_000, from: 100_000))
        try fixture.sealAndSync()
        let reading = try fixture.read()
        #expect(reading.missing.map(\.reason) == [.retention])
        #expect(reading.bytes.suffix(300_000) == consoleText(300_000, from: 100_000)[...])
        try fixture.restart()
        #expect(try fixture.read().bytes == reading.bytes)
    }

    @Test("a burst that is sealed but not synced evicts nothing that would stay after the sync")
    func burst() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append(consoleText(600_000))
        try fixture.sealAndSync()
        try fixture.append(consoleText(2_000_000, from: 10_000))
        for base in fixture.writer.takeClosedPairs() {
            try fixture.sealer.seal(base, of: fixture.stream)
        }
        let raw = try fixture.store.usage(of: "web")
        let tight = Retention(store: fixture.store) { _ in Quota(bytes: raw / 2) }
        #expect(try tight.enforceAll(now: fixture.clock.time) == Retention.Freed())
        try fixture.sealAndSync()
        #expect(try fixture.store.usage(of: "web") < raw / 2)
        #expect(try fixture.read().bytes.count == 2_600_000)
    }

    @Test("the pair being written is never removed")
    func keepsWhatIsWritten() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 1))
        try fixture.append(consoleText(300_000))
        try fixture.sealAndSync()
        _ = try fixture.sealer.enforceRetention()
        try fixture.append("last\n")
        _ = try fixture.sealer.enforceRetention()
        #expect(try fixture.read().text.hasSuffix("last\n"))
        #expect(try fixture.names().contains { $0.hasSuffix(".log") })
    }

    @Test("how much a VM has grown is forgotten when it is not written any more, and is counted in the total")
    func forgetsGrowth() throws {
        let fixture = try StoreFixture(root: folder.path)
        let retention = fixture.retention
        for part in 0..<2 {
            try fixture.append(consoleText(300_000, from: part * 10_000))
            try fixture.sealAndSync()
        }
        let growth = try #require(retention.growths["web"]?.bytes)
        let before = try #require(retention.grown)
        #expect(growth > 0)
        fixture.sealer.forget(vm: "web")
        #expect(retention.growths.isEmpty && retention.grown == before + growth)
        _ = try fixture.sealer.enforceRetention()
        #expect(retention.growths.isEmpty)
    }

    @Test("a VM that is closed and written again is checked when it has grown by a step since its last check")
    func reopened() throws {
        let fixture = try StoreFixture(root: folder.path)
        let retention = fixture.retention
        func grow(by bytes: Int) throws {
            _ = try retention.enforce(vm: "web", grownBy: bytes, now: fixture.clock.time)
        }
        try grow(by: 1)
        let step = try #require(retention.growths["web"]?.step)
        for _ in 0..<3 {
            try grow(by: step / 4)
            #expect(retention.growths["web"]?.bytes == step / 4)
            fixture.sealer.forget(vm: "web")
        }
        try grow(by: step / 2)
        let growth = try #require(retention.growths["web"])
        #expect(growth.bytes == 0 && growth.step == step && retention.allowances.isEmpty)
    }

    @Test("the largest stream of the VM is reduced")
    func biggestPays() throws {
        let fixture = try StoreFixture(root: folder.path)
        let small = try fixture.vm.open(try #require(StreamName("kernel")), now: fixture.clock.time)
        let text = consoleText(300_000)
        try text.withUnsafeBytes { try small.append($0, time: fixture.clock.time) }
        try fixture.append(consoleText(18_000_000))
        try fixture.sealAndSync()
        let usage = try fixture.store.usage(of: fixture.stream.vm)
        let tight = Retention(store: fixture.store) { _ in Quota(bytes: usage - 1) }
        let freed = try tight.enforceAll(now: fixture.clock.time)
        #expect(freed.files == 1)
        #expect(try Reading(StreamBatches(StreamReader(path: small.path))).bytes == text)
        #expect(try fixture.read().missing.first?.reason == .retention)
    }

    /// A VM with `size` bytes of text in sealed segments, and its open stream.
    private func fill(
        _ store: Store,
        _ name: String,
        _ size: Int,
        _ clock: ManualClock
    ) throws -> (vm: VMStore, writer: StreamWriter) {
        let retention = Retention(store: store) { _ in Quota(bytes: 1 << 22) }
        let sealer = Sealer(store: store, retention: retention, clock: clock)
        let vm = try VMStore(store: store, name: name, hostBoot: "x", now: clock.time)
        let writer = try vm.open(.console0, now: clock.time)
        for part in 0..<(size / 200_000) {
            let text = consoleText(200_000, from: part * 4000)
            try text.withUnsafeBytes { try writer.append($0, time: clock.time) }
            for base in writer.takeClosedPairs() {
                try sealer.seal(base, of: StreamID(vm: name, stream: .console0))
            }
            try sealer.synchronize()
        }
        return (vm, writer)
    }

    @Test("over the total, the largest VM is reduced")
    func totalTakesFromBiggest() throws {
        let store = Store(root: folder.path)
        let clock = ManualClock()
        let vms = [
            try fill(store, "small", 600_000, clock), try fill(store, "big", 8_000_000, clock),
        ]
        defer { withExtendedLifetime(vms) {} }
        let small = try store.usage(of: "small")
        let total = try store.usage(of: "big") + small - 1
        let retention = Retention(store: store, total: total) { _ in .default }
        #expect(try retention.enforceAll(now: clock.time).files > 0)
        #expect(try store.usage(of: "small") == small)
        #expect(try small + store.usage(of: "big") <= total)
    }

    @Test("of equally large VMs each gives its share when the total is exceeded")
    func totalIsShared() throws {
        let store = Store(root: folder.path)
        let clock = ManualClock()
        let vms = try ["a", "b", "c"].map { try fill(store, $0, 8_000_000, clock) }
        func usages() throws -> [Int] { try vms.map { try store.usage(of: $0.vm.vm.directory) } }
        let before = try usages()
        let total = before.reduce(0, +)
        let retention = Retention(store: store, total: total * 2 / 3) { _ in .default }
        #expect(try retention.enforceAll(now: clock.time).files > 0)
        let after = try usages()
        #expect(after.reduce(0, +) <= total * 2 / 3)
        for (left, usage) in zip(after, before) {
            #expect(left > usage / 3, "\(before) \(after)")
        }
    }

    @Test("the reserve counts against the total, up to half of it")
    func totalCountsReserve() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 1 << 20))
        try fixture.pour(consoleText(9_000_000))
        let usage = try fixture.store.usage(of: "web")
        let files = fixture.store.fileSystem
        for (reserve, kept) in [(100_000, usage - 100_000), (10 * usage, usage / 2)] {
            try StoredFile(folder.path + "/reserve", .create, on: files).truncate(to: reserve)
            let retention = Retention(store: fixture.store, total: usage) { _ in Quota(bytes: 1 << 30) }
            #expect(try retention.enforceAll(now: fixture.clock.time).files > 0)
            #expect(try fixture.store.usage(of: "web") <= kept)
        }
    }

    @Test("a VM exceeds its quota by what was appended since the last sync and a thirty-second part at most")
    func overshoot() throws {
        let quota = 4 << 20
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: quota))
        var random = SeededGenerator(seed: 7)
        let perSync = 1 << 20
        for _ in 0..<24 {
            for _ in 0..<4 {
                try fixture.append((0..<perSync / 4).map { _ in UInt8.random(in: 32...126, using: &random) })
                try fixture.seal()
                let bound = quota + quota / 32 + 2 * (perSync + StoreLimits.blockLimit)
                #expect(try fixture.store.usage(of: "web") <= bound)
            }
            try fixture.sealer.synchronize()
            #expect(try fixture.store.usage(of: "web") <= quota + quota / 32 + 2 * StoreLimits.blockLimit)
        }
    }

    @Test("what exceeds the age is removed, and a deleted VM after its time")
    func agesOut() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 2 << 20))
        try fixture.pour(consoleText(5_000_000))
        try fixture.sealAndSync()
        let segments = try fixture.names().filter { $0.hasSuffix(".log.zst") }.count
        #expect(segments > 1)
        fixture.clock.advance(10_000_000)
        let retention = Retention(store: fixture.store, deletedAge: 1000) { _ in Quota(bytes: 1 << 30, age: 1_000_000) }
        #expect(try retention.enforceAll(now: fixture.clock.time).files == segments)
        try fixture.vm.end(at: fixture.clock.time)
        fixture.clock.advance(2000)
        _ = try retention.enforceAll(now: fixture.clock.time)
        #expect(try fixture.store.vms().count == 1, "a process has it open")
        fixture.close()
        _ = try retention.enforceAll(now: fixture.clock.time)
        #expect(try fixture.store.vms().isEmpty)
        #expect(fixture.store.fileSystem.status(folder.path + "/web") == nil)
    }

    @Test("a VM that was deleted while the clock was wrong stays as long as others", arguments: [0, 4_000_000_000])
    func deletedAtWrongTime(seconds: Int64) throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("words\n")
        try fixture.vm.end(at: Timestamp(microseconds: seconds * 1_000_000))
        fixture.close()
        let retention = Retention(store: fixture.store, deletedAge: 1000)
        _ = try retention.enforceAll(now: fixture.clock.time)
        #expect(try fixture.store.vms().map(\.ended) == [fixture.clock.time])
        fixture.clock.advance(1001)
        _ = try retention.enforceAll(now: fixture.clock.time)
        #expect(try fixture.store.vms().isEmpty)
    }

    @Test("blocks that were appended to a segment while another process removed it are sealed again")
    func evictedByAnother() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(1_000_000)
        try fixture.append(text)
        try fixture.seal()
        let segment = try #require(fixture.names().first { $0.hasSuffix(".log.zst") })
        try fixture.store.fileSystem.remove(fixture.writer.path + "/" + segment)
        try fixture.sealer.synchronize()
        try fixture.sealer.synchronize()
        #expect(try fixture.read().bytes == text && fixture.read().missing.isEmpty)
        #expect(try fixture.names().contains(segment))
        try fixture.restart()
        #expect(try fixture.read().bytes == text)
    }

    @Test("a VM whose folder cannot be listed does not keep the others from being reduced to the total")
    func unlistable() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.pour(consoleText(3_000_000))
        let broken = VMIdentity(name: "a")
        do { _ = try VMStore(store: fixture.store, name: "a", hostBoot: "boot-1", now: fixture.clock.time) }
        // A stream's folder that is none.
        symlink("/nowhere", fixture.store.path(of: StreamID(vm: broken.directoryName, stream: .console0)))
        let usage = try fixture.store.usage(of: "web")
        let total = Retention(store: fixture.store, total: usage / 2) { _ in Quota(bytes: 1 << 30) }
        _ = try? total.enforceAll(now: fixture.clock.time)
        #expect(try fixture.store.usage(of: "web") < usage * 3 / 4)
    }

    private static let today: Int64 = 1_700_000_000

    @Test(
        "text that was stamped while the clock was wrong is as old as what followed, and nothing is too old for a wrong clock",
        arguments: [
            // A first boot in 1970, an hour ago or a minute ago.
            (60, today - 7200, today - 60, today, false), (60, today - 60, today, today, true),
            // The clock was in 2099 for a while.
            (today - 7200, 4_080_000_000, today - 60, today, false), (4_080_000_000, today - 60, today, today, true),
            // It is wrong now.
            (today - 7200, today - 60, today, 60, true), (today - 7200, today - 60, today, 4_080_000_000, true),
        ] as [(Int64, Int64, Int64, Int64, Bool)]
    )
    func wrongClock(first: Int64, second: Int64, third: Int64, now: Int64, isAllKept: Bool) throws {
        let clock = ManualClock(first * 1_000_000)
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 300_000), clock: clock)
        for (number, start) in [first, second, third].enumerated() {
            clock.advance(start * 1_000_000 - clock.wallMicroseconds())
            try fixture.pour(consoleText(300_000, from: number * 1_000_000))
        }
        fixture.writer.roll()
        try fixture.sealAndSync()
        let before = try fixture.names().count { $0.hasSuffix(".log.zst") }
        #expect(before >= 3)
        let retention = Retention(store: fixture.store) { _ in Quota(bytes: 1 << 40, age: 3600 * 1_000_000) }
        _ = try retention.enforceAll(now: Timestamp(seconds: now))
        let after = try fixture.names().count { $0.hasSuffix(".log.zst") }
        #expect(isAllKept ? after == before : after < before, "\(after) of \(before) segments are left")
    }

    /// A guest that boots, prints past several segments, and boots again, `boots` times.
    func bootOften(_ fixture: StoreFixture, _ boots: Int, chatter: Int = 700_000) throws {
        for boot in 0..<boots {
            try fixture.mark(.powerOn)
            try fixture.append("boot number \(boot)\n")
            try fixture.append(consoleText(chatter, from: boot * 100_000))
            try fixture.sealAndSync()
        }
    }

    @Test("one process at a time checks all VMs; each checks its own")
    func looksAtAll() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.pour(consoleText(2_000_000))
        let first = Retention(store: fixture.store) { _ in Quota(bytes: 1 << 30) }
        _ = try first.enforceAll(now: fixture.clock.time)
        let second = Retention(store: fixture.store) { _ in Quota(bytes: 300_000) }
        #expect(try second.enforceAll(now: fixture.clock.time) == Retention.Freed())
        #expect(try second.enforce(vm: "web", grownBy: 1, now: fixture.clock.time).files > 0)
    }

    @Test("a name that resembles a UUID, or a file of the store, has a folder of its own")
    func folders() {
        let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        let identities = [
            VMIdentity(name: uuid), VMIdentity(name: "x", uuid: uuid), VMIdentity(name: "lock"),
            VMIdentity(name: "reserve"), VMIdentity(name: "%6Cock"), VMIdentity(name: "a", namespace: "lock"),
            VMIdentity(name: "x", uuid: "../../etc"),
        ]
        let folders = identities.map(\.directoryName)
        #expect(Set(folders).count == folders.count)
        #expect(folders == ["%36" + uuid.dropFirst(), uuid, "%6Cock", "%72eserve", "%256Cock", "lock.a", "x"])
        #expect(StreamName("lock") == nil)
    }

    @Test("a store of a newer format is not written")
    func newerFormat() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("kept\n")
        let metadata = folder.path + "/web/vm.json"
        let text = String(decoding: try #require(try fixture.store.fileSystem.contents(of: metadata)), as: UTF8.self)
        let newer = text.replacing("\"format\":1", with: "\"format\":2")
        #expect(newer != text)
        try fixture.store.fileSystem.replace("vm.json", in: folder.path + "/web", with: Array(newer.utf8))
        let error = #expect(throws: SystemError.self) { try fixture.restart() }
        #expect(error?.description == "open for writing \(metadata): format 2 is a newer guestlog's; this one writes 1")
        #expect(try fixture.read().text == "kept\n")
    }

    @Test("the heads of the newest eight boots outlive their segments")
    func keepsHeads() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 1_600_000))
        try bootOften(fixture, 20)
        let reading = try fixture.read()
        let seen = (0..<20).filter { reading.text.contains("boot number \($0)\n") }
        #expect(seen.count >= StoreLimits.headsKept && seen == Array((20 - seen.count)..<20))
        #expect(try fixture.names().filter { $0.hasSuffix(".head.zst") }.count == StoreLimits.headsKept)
        #expect(reading.missing.allSatisfy { $0.reason == .retention })
        #expect(reading.boots.count == seen.count)
        // Each head has 256 KiB although its segment ended before: it was extended from the next.
        for name in try fixture.names() where name.hasSuffix(".head.zst") {
            let head = try SegmentFile(path: fixture.writer.path + "/" + name, fileSystem: fixture.store.fileSystem)
            #expect(head.isClosed && head.headers.first.map { Int($0.rawLength) } == StoreLimits.headLength)
        }
        var covered: UInt64 = 0
        for summary in try fixture.reader.summaries() {
            #expect(summary.offset >= covered)
            covered = summary.end
            #expect(try fixture.reader.records(of: summary).count > 0)
        }
    }

    @Test("a thousand forged banners evict no power-on's head")
    func banners() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 300_000))
        try fixture.mark(.powerOn)
        try fixture.append("the true boot\n")
        for banner in 0..<1000 {
            try fixture.mark(banner % 2 == 0 ? .firmware : .kernel)
            try fixture.append(consoleText(4000, from: banner * 50))
            if banner % 20 == 0 {
                try fixture.sealAndSync()
            }
        }
        let reading = try fixture.read()
        #expect(reading.text.hasPrefix("the true boot\n"))
        #expect(reading.missing.first?.from ?? 0 >= UInt64(StoreLimits.headLength))
        #expect(try fixture.names().filter { $0.hasSuffix(".head.zst") }.count <= StoreLimits.headsKept)
    }

    @Test("quarantine is limited, and counted")
    func quarantineBounded() throws {
        let fixture = try StoreFixture(root: folder.path)
        for _ in 0..<8 {
            try fixture.append(consoleText(200_000))
            let log = fixture.layout.log(try #require(fixture.reader.summaries().last).offset)
            try StoredFile(log, .update, on: fixture.store.fileSystem).write(at: 5, [0xff, 0xfe])
            try fixture.restart()
        }
        let held = try fixture.store.fileSystem.names(in: fixture.layout.quarantine).map {
            fixture.store.fileSystem.status(fixture.layout.quarantine + "/" + $0)?.size ?? 0
        }
        #expect((3...5).contains(held.count) && held.reduce(0, +) <= StoreLimits.quarantineLimit)
        #expect(try fixture.store.usage(of: fixture.stream) > held.reduce(0, +))
    }
}
