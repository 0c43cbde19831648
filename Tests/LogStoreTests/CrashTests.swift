// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestTraits
import Testing

@testable import LogStore

/// The possible states of a store after a crash, by name.
@Suite(.blocking) struct CrashTests {
    let files = SimulatedFileSystem(seed: 1)
    let text = "one\ntwo\n"

    init() { files.shortensWrites = false }

    func fixture(replayable: Bool = false) throws -> StoreFixture {
        let properties = StreamProperties(isReplayable: replayable)
        return try StoreFixture(root: "/store", fileSystem: files, properties: properties)
    }

    private func restart(_ fixture: StoreFixture, hostDied: Bool = false) throws {
        files.processDies()
        try fixture.restart(hostBoot: hostDied ? "boot-2" : "boot-1")
    }

    @Test("a torn index record is cut, and a live stream keeps its text, marked recovered")
    func tornRecord() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        try fixture.append("two\n")
        files[fixture.layout.index(0)]?.removeLast(5)
        #expect(try fixture.read().text == "one\n")
        try restart(fixture)
        let reading = try fixture.read()
        #expect(reading.text == text && reading.records.last?.flags.contains(.recovered) == true)
        #expect(fixture.writer.nextOffset == 8)
    }

    @Test("a replayable stream cuts text without a record, because its source will be read again")
    func replayableTail() throws {
        let fixture = try fixture(replayable: true)
        try fixture.append(Array("one\n".utf8), detail: RecordDetail(source: [7]))
        files[fixture.layout.log(0)]?.append(contentsOf: "tw".utf8)
        try restart(fixture)
        #expect(try fixture.read().text == "one\n")
        #expect(fixture.writer.nextOffset == 4 && fixture.writer.source == [7])
        #expect(files[fixture.layout.log(0)]?.count == 4)
    }

    @Test("an index beyond the text: no reader returns missing bytes, and the stream continues far beyond")
    func indexBeyondData() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        try fixture.append("two\n")
        files[fixture.layout.log(0)]?.removeLast(2)
        #expect(try fixture.read().text == "one\n")
        try restart(fixture, hostDied: true)
        #expect(try fixture.read().text == "one\n")
        #expect(fixture.writer.nextOffset == StoreLimits.restartStride)
    }

    @Test("zeros that were never written are returned neither before nor after recovery")
    func zeros() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        try fixture.append("two\n")
        files[fixture.layout.log(0)]?.replaceSubrange(4..<8, with: [0, 0, 0, 0])
        files[fixture.layout.log(0)]?.append(contentsOf: [0, 0, 0])
        #expect(try fixture.read().text == "one\n")
        try restart(fixture, hostDied: true)
        #expect(try fixture.read().text == "one\n")
        #expect(files.files.allSatisfy { !$0.contains("quarantine") }, "zeros are not kept")
    }

    @Test("after a host crash text without a record is kept up to its first NUL")
    func tailToFirstZero() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        files[fixture.layout.log(0)]?.append(contentsOf: Array("two\n".utf8) + [0, 0] + Array("three\n".utf8))
        try restart(fixture, hostDied: true)
        #expect(try fixture.read().text == text)
    }

    @Test("NULs that a guest wrote are kept")
    func trueZeros() throws {
        let fixture = try fixture()
        try fixture.append([97, 0, 0, 10])
        files[fixture.layout.log(0)]?.append(contentsOf: [0, 98, 10])
        try restart(fixture)
        #expect(try fixture.read().bytes == [97, 0, 0, 10, 0, 98, 10])
    }

    @Test("the torn last block of a growing segment is cut and sealed again")
    func tornBlock() throws {
        let fixture = try fixture()
        for line in ["one\n", "two\n"] {
            try fixture.append(line)
            fixture.writer.roll()
            try fixture.seal()
        }
        files[fixture.layout.segment(0)]?.removeLast(7)
        #expect(try fixture.read().text == text)
        try restart(fixture)
        try fixture.append("three\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        #expect(try fixture.read().text == text + "three\n")
        #expect(files.files.allSatisfy { !$0.hasSuffix(".log") })
    }

    @Test("a segment without its index is read by its headers, and continues to grow")
    func segmentWithoutIndex() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try restart(fixture)
        try fixture.append("two\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        #expect(try fixture.read().text == text)
        #expect(files.files.filter { $0.hasSuffix(".log.zst") }.count == 1)
    }

    @Test("a damaged header in a growing segment costs one block, and not later ones")
    func damagedHeader() throws {
        let fixture = try fixture()
        var second = 0
        for line in ["one\n", "two\n", "three\n"] {
            try fixture.append(line)
            fixture.writer.roll()
            try fixture.sealAndSync()
            if second == 0 { second = files[fixture.layout.segment(0)]?.count ?? 0 }
        }
        files[fixture.layout.segment(0)]?[second + 20] ^= 1
        try restart(fixture)
        let reading = try fixture.read()
        #expect(reading.text == "one\nthree\n")
        #expect(reading.missing == [.init(from: 4, to: 8, reason: .corruption)])
        #expect(fixture.writer.nextOffset == 14)
    }

    @Test("after a damaged last header the stream continues far beyond, and nothing is destroyed")
    func damagedLastHeader() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        let before = try #require(files[fixture.layout.segment(0)])
        files[fixture.layout.segment(0)]?[20] ^= 1
        try restart(fixture)
        #expect(fixture.writer.nextOffset == StoreLimits.restartStride)
        #expect(try fixture.read().gaps.map(\.reason) == [.corruption])
        #expect(files[fixture.layout.segment(0)]?.count == before.count)
    }

    @Test("sealed but not yet unlinked: the bytes are returned once, and sealed once", arguments: [false, true])
    func sealedNotUnlinked(hostDied: Bool) throws {
        let fixture = try fixture()
        try fixture.append(text)
        fixture.writer.roll()
        try fixture.seal()
        #expect(try fixture.read().text == text)
        try restart(fixture, hostDied: hostDied)
        fixture.writer.roll()
        try fixture.sealAndSync()
        #expect(try fixture.read().text == text)
        #expect(try fixture.reader.summaries().filter { $0.offset == 0 }.count == 1)
    }

    @Test("an interrupted unlink is completed")
    func halfUnlinked() throws {
        let fixture = try fixture()
        try fixture.append(text)
        fixture.writer.roll()
        let index = files[fixture.layout.index(0)]
        try fixture.sealAndSync()
        files[fixture.layout.index(0)] = index
        #expect(try fixture.read().text == text)
        try restart(fixture)
        #expect(try fixture.read().text == text)
        #expect(files[fixture.layout.index(0)] == nil)
    }

    @Test("an old pair that reappears costs no block sealed after it")
    func oldPairReturns() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        fixture.writer.roll()
        let pair = (files[fixture.layout.log(0)], files[fixture.layout.index(0)])
        try fixture.sealAndSync()
        try fixture.append("two\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        (files[fixture.layout.log(0)], files[fixture.layout.index(0)]) = pair
        try restart(fixture)
        #expect(try fixture.read().text == text)
        #expect(files[fixture.layout.log(0)] == nil && fixture.writer.nextOffset == 8)
    }

    @Test("after a failed sync its blocks are reverted, and sealed again")
    func failedSync() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.seal()
        files.failsNextSync = true
        #expect(throws: SystemError.self) { try fixture.sealer.synchronize() }
        #expect(files[fixture.layout.log(0)] != nil, "the pair is kept")
        try fixture.sealer.synchronize()
        #expect(files[fixture.layout.log(0)] == nil)
        files.hostDies()
        try fixture.restart(hostBoot: "boot-2")
        #expect(try fixture.read().text == "one\n")
    }

    @Test("a failed append leaves nothing behind, and the next one uses a new pair")
    func failedAppend() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        files.failureRate = 1000
        #expect(throws: AppendFailure.self) { try fixture.append("lost\n") }
        files.failureRate = 0
        try fixture.append("two\n")
        try restart(fixture)
        #expect(try fixture.read().text == text)
        #expect(try fixture.reader.summaries().map(\.offset) == [0, 4])
    }

    @Test("after a host crash the stream jumps to the next 2^32, after a process crash it continues")
    func jumps() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        try restart(fixture)
        #expect(fixture.writer.nextOffset == 4)
        try restart(fixture, hostDied: true)
        #expect(fixture.writer.nextOffset == StoreLimits.restartStride)
        let gap = try #require(try fixture.read().gaps.first)
        #expect(gap.reason == .hostRestart && gap.bytes == nil)
        #expect(try fixture.read().missing.isEmpty)
    }

    @Test("a stream opened long after a host crash, by yet another process, is repaired too")
    func lateStream() throws {
        let fixture = try fixture()
        let kernel = try #require(StreamName("kernel"))
        let writer = try fixture.vm.open(kernel, now: fixture.clock.time)
        try Array(text.utf8).withUnsafeBytes { try writer.append($0, time: fixture.clock.time) }
        try restart(fixture, hostDied: true)
        files.processDies()
        try fixture.restart(hostBoot: "boot-2")
        let again = try fixture.vm.open(kernel, now: fixture.clock.time)
        #expect(again.nextOffset == 2 * StoreLimits.restartStride, "each of a VM's jumps uses another stride")
    }

    @Test("two host crashes without a sync in between never assign a position twice")
    func strideUsedOnce() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        try fixture.sealer.synchronize()
        var seen: Set<UInt64> = []
        for boot in 2..<8 {
            files.hostDies()
            try fixture.restart(hostBoot: "boot-\(boot)")
            #expect(seen.insert(fixture.writer.nextOffset).inserted)
            try fixture.append("unsynced\n")
        }
    }

    @Test("after a clean close no repair is needed, even after a host crash")
    func cleanClose() throws {
        let fixture = try fixture()
        try fixture.append(text)
        try fixture.sealer.synchronize()
        try fixture.vm.closeCleanly()
        try restart(fixture, hostDied: true)
        #expect(fixture.writer.nextOffset == 8)
    }

    @Test("a damaged middle of a closed pair is moved to quarantine, and the reader reports the hole")
    func damagedMiddle() throws {
        let fixture = try fixture()
        for line in ["one\n", "two\n", "six\n"] { try fixture.append(line) }
        fixture.writer.roll()
        try fixture.append("ten\n")
        files[fixture.layout.log(0)]?[5] ^= 1
        let before = try fixture.read()
        #expect(before.text == "one\nsix\nten\n" && before.missing == [.init(from: 4, to: 8, reason: .corruption)])
        try restart(fixture)
        let after = try fixture.read()
        #expect(after.text == "one\nten\n" && after.missing == [.init(from: 4, to: 12, reason: .corruption)])
        #expect(files.files.contains { $0.contains("quarantine") })
    }

    @Test("vm.json torn: the history continues, and is listed again")
    func tornFacts() throws {
        let fixture = try fixture()
        try fixture.append(text)
        files["/store/web/vm.json"] = Array("{\"name\":\"we".utf8)
        try restart(fixture)
        #expect(try fixture.store.vms().map(\.identity.name) == ["web"])
        #expect(try fixture.read().text == text)
    }

    @Test("meta.json torn: it is recreated, with the source's properties")
    func tornProperties() throws {
        let fixture = try fixture(replayable: true)
        files["/store/web/console0/meta.json"] = [0, 0, 0]
        files.processDies()
        try fixture.restart(properties: StreamProperties(isReplayable: true))
        #expect(fixture.store.properties(of: fixture.stream).isReplayable)
    }

    @Test("writer.json torn counts as a host crash")
    func tornWriterState() throws {
        let fixture = try fixture()
        try fixture.append(text)
        files["/store/web/writer.json"] = []
        try restart(fixture)
        #expect(fixture.writer.nextOffset == StoreLimits.restartStride)
        #expect(try fixture.read().text == text)
    }

    @Test("a pair whose file vanished leaves a reported hole")
    func vanishedPair() throws {
        let fixture = try fixture()
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.append("two\n")
        files[fixture.layout.log(0)] = nil
        try restart(fixture, hostDied: true)
        let reading = try fixture.read()
        #expect(reading.text == "two\n" && reading.missing.first == .init(from: 0, to: 4, reason: .corruption))
    }

    @Test("a head written before its segment was removed is returned once")
    func headAndSegment() throws {
        let fixture = try fixture()
        try fixture.mark(.powerOn)
        try fixture.append(text)
        fixture.writer.roll()
        try fixture.sealAndSync()
        let heads = BootHeads(layout: fixture.layout, fileSystem: files, compressor: Compressor())
        try heads.save(range: 0..<8, from: fixture.reader)
        #expect(try fixture.read().text == text)
        try restart(fixture)
        #expect(try fixture.read().text == text)
        #expect(try fixture.reader.summaries().count == 1)
        files[fixture.layout.segment(0)] = nil
        #expect(try fixture.read().text == text)
        #expect(try fixture.read().boots.count == 1)
    }
}
