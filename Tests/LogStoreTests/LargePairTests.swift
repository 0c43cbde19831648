// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Pairs of several blocks, which fast streams get.
@Suite(.blocking) struct LargePairTests {
    private func fixture(_ files: SimulatedFileSystem, hostBoot: String = "boot-1") throws -> StoreFixture {
        try StoreFixture(root: "/store", fileSystem: files, hostBoot: hostBoot, pairTarget: StoreLimits.pairTarget)
    }

    private func simulated() -> SimulatedFileSystem {
        let files = SimulatedFileSystem(seed: 1)
        files.shortensWrites = false
        return files
    }

    /// Appends lines in pieces of 64 KiB, as a burst of `milliseconds` a piece.
    @discardableResult
    private func pour(_ bytes: Int, into fixture: StoreFixture, milliseconds: Int64 = 1) throws -> [UInt8] {
        let text = repeatedText(bytes)
        for start in stride(from: 0, to: text.count, by: 64 << 10) {
            fixture.clock.advance((milliseconds - 1) * 1000)
            try fixture.append(Array(text[start..<min(text.count, start + (64 << 10))]))
        }
        return text
    }

    @Test("a stream that fills its pairs within a second gets larger ones, up to the limit, and a slow one does not")
    func grows() throws {
        let fast = try fixture(simulated())
        let text = try pour(8 << 20, into: fast)
        let sizes = fast.writer.takeClosedPairs().map { base in
            fast.store.fileSystem.status(fast.layout.log(base))?.size ?? 0
        }
        #expect(sizes.prefix(5).map { $0 >> 18 } == [1, 2, 4, 8, 16])
        #expect(sizes.allSatisfy { $0 <= StoreLimits.pairLimit })
        #expect(isSame(try fast.read().bytes, text))

        let slow = try fixture(simulated())
        try pour(2 << 20, into: slow, milliseconds: 500)
        let small = slow.writer.takeClosedPairs().map { slow.store.fileSystem.status(slow.layout.log($0))?.size ?? 0 }
        #expect(small.count >= 7 && small.allSatisfy { $0 < StoreLimits.blockLimit })
    }

    @Test("a stream that becomes slow gets smaller pairs again")
    func shrinks() throws {
        var pace = PairPace(limit: StoreLimits.pairTarget)
        let filled = { (pace: inout PairPace, seconds: Int64) in
            pace.filled(from: Timestamp(seconds: 0), to: Timestamp(seconds: seconds))
        }
        for _ in 0..<10 { filled(&pace, 0) }
        #expect(pace.target == StoreLimits.pairTarget)
        filled(&pace, 2)
        #expect(pace.target == StoreLimits.pairTarget)
        for _ in 0..<10 { filled(&pace, 60) }
        #expect(pace.target == StoreLimits.blockTarget)
    }

    @Test("a VM with a small quota has small pairs")
    func quota() {
        #expect(Quota(bytes: 1 << 20).pairTarget == StoreLimits.blockTarget)
        #expect(Quota(bytes: 64 << 20).pairTarget == 2 << 20)
        #expect(Quota(bytes: 1 << 40).pairTarget == StoreLimits.pairTarget)
    }

    @Test("an open pair is read in blocks that end with a line, which are those that are sealed")
    func blocks() throws {
        let fixture = try fixture(simulated())
        let text = try pour(4 << 20, into: fixture)
        let open = try fixture.reader.summaries().map { $0.offset..<$0.end }
        for block in open {
            #expect(block.count <= StoreLimits.blockLimit)
            #expect(block.upperBound == UInt64(text.count) || text[Int(block.upperBound) - 1] == Lines.feed)
        }
        fixture.writer.roll()
        try fixture.sealAndSync()
        #expect(try fixture.reader.summaries().map { $0.offset..<$0.end } == open)
        #expect(isSame(try fixture.read().bytes, text))
        #expect(try fixture.names().allSatisfy { !$0.hasSuffix(".log") })
    }

    @Test("text without an end of a line is cut at a block's limit")
    func withoutLines() throws {
        let fixture = try fixture(simulated())
        let text = [UInt8](repeating: 97, count: 3 << 20)
        for start in stride(from: 0, to: text.count, by: 50_000) {
            try fixture.append(Array(text[start..<min(text.count, start + 50_000)]))
        }
        #expect(try fixture.reader.summaries().allSatisfy { $0.end - $0.offset <= StoreLimits.blockLimit })
        fixture.writer.roll()
        try fixture.sealAndSync()
        #expect(isSame(try fixture.read().bytes, text))
    }

    @Test("markers between blocks stay with the text before them, and keep their numbers when they are sealed")
    func markers() throws {
        let fixture = try fixture(simulated())
        for _ in 0..<12 {
            try pour(256 << 10, into: fixture)
            try fixture.mark(.kernel)
            try fixture.markGap(1)
        }
        let open = try fixture.read()
        fixture.writer.roll()
        try fixture.sealAndSync()
        let sealed = try fixture.read()
        #expect(sealed.markers == open.markers && sealed.bytes == open.bytes)
        for cursor in open.cursors {
            let rest = try fixture.read(from: cursor)
            #expect(open.bytes.suffix(rest.bytes.count).elementsEqual(rest.bytes))
            #expect(open.markers.suffix(rest.markers.count).elementsEqual(rest.markers))
        }
    }

    @Test("records are kept whole, and a new block begins with one that does not fit")
    func wholeRecords() throws {
        let fixture = try fixture(simulated())
        let record = consoleText(100_000)
        for _ in 0..<30 {
            fixture.clock.advance(1000)
            try record.withUnsafeBytes { bytes in
                try fixture.writer.append(bytes, time: fixture.clock.time, isWhole: true)
            }
        }
        fixture.writer.roll()
        try fixture.sealAndSync()
        let reading = try fixture.read()
        #expect(reading.records.count == 30 && reading.records.allSatisfy { $0.length == 100_000 })
        #expect(try fixture.reader.summaries().map { $0.end - $0.offset }.allSatisfy { $0 == 300_000 })
    }

    @Test(
        "a pair that is sealed in part, as a crash of the host leaves it, is sealed again whole",
        arguments: [false, true],
        [1, 7]
    )
    func sealedInPart(hostDied: Bool, blocks: Int) throws {
        let files = simulated()
        let fixture = try fixture(files)
        let text = try pour((15 << 18) - 1000, into: fixture)
        fixture.writer.roll()
        try fixture.seal()
        // The segment ends within a block of its last pair.
        let segment = try SegmentFile(path: fixture.layout.segment(0), fileSystem: files)
        let cut = try #require(segment.headers.dropLast(blocks).last)
        files[fixture.layout.segment(0)]?.removeLast(segment.length - cut.nextPosition - 50)
        #expect(isSame(try fixture.read().bytes, text))
        let before = try #require(try fixture.store.vms().first)
        #expect(try StoreCheck(fixture.store).check(before).streams.flatMap(\.damages).isEmpty)
        files.processDies()
        try fixture.restart(hostBoot: hostDied ? "boot-2" : "boot-1")
        #expect(try fixture.read().bytes.starts(with: text))
        try fixture.sealAndSync()
        #expect(try fixture.read().bytes.starts(with: text))
        let after = try #require(try fixture.store.vms().first)
        #expect(try StoreCheck(fixture.store).check(after).streams.flatMap(\.damages).isEmpty)
        #expect(files.files.filter { $0.hasSuffix(".log") }.count <= 1)
    }

    @Test("a large pair left by a crash is recovered, its tail too, and sealed")
    func recovered() throws {
        let files = simulated()
        let fixture = try fixture(files)
        let text = try pour(3 << 20, into: fixture)
        let pair = try #require(files.files.filter { $0.hasSuffix(".log") }.max())
        files[pair]?.append(contentsOf: "tail\n".utf8)
        files.processDies()
        try fixture.restart()
        try fixture.append("next\n")
        try fixture.sealAndSync()
        #expect(try fixture.read().bytes == text + Array("tail\nnext\n".utf8))
    }

    @Test("damage in one block of a large pair costs no other block")
    func damage() throws {
        let files = simulated()
        let fixture = try fixture(files)
        let text = try pour(3 << 20, into: fixture)
        let pair = try #require(files.files.filter { $0.hasSuffix(".log") }.max())
        let length = try #require(files[pair]?.count)
        files[pair]?[length / 2] ^= 1
        let reading = try fixture.read()
        let lost = reading.missing.reduce(0) { $0 + $1.to - $1.from }
        #expect(lost > 0 && lost <= 64 << 10 && reading.bytes.count + Int(lost) == text.count)
    }

    @Test("a segment has no more blocks than its index may list")
    func segments() throws {
        let fixture = try fixture(simulated())
        let text = try pour(20 << 20, into: fixture)
        fixture.writer.roll()
        try fixture.sealAndSync()
        let segments = try fixture.layout.extents(on: fixture.store.fileSystem).filter { $0.kind == .segment }
        #expect(segments.count >= 2)
        for segment in segments {
            let file = try SegmentFile(path: fixture.layout.file(segment), fileSystem: fixture.store.fileSystem)
            #expect(file.headers.count <= StoreLimits.blocksPerSegment)
            #expect(file.isClosed || segment == segments.last)
        }
        #expect(isSame(try fixture.read().bytes, text))
    }
}
