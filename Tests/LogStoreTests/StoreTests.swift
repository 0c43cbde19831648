// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// The store on the real file system.
@Suite(.blocking) struct StoreTests {
    let folder = TemporaryFolder()

    func run(_ command: String) throws -> [UInt8] {
        let pipe = try #require(popen(command, "r"))
        defer { pclose(pipe) }
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 {
            out.append(contentsOf: buffer[..<count])
        }
        return out
    }

    @Test("appended bytes are read back, with their times")
    func readsBack() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("hello\n")
        let first = fixture.clock.time
        try fixture.append("wor")
        try fixture.append("ld\n")
        let reading = try fixture.read()
        #expect(reading.text == "hello\nworld\n")
        #expect(reading.records.map(\.time).first == first)
        #expect(reading.records.map { $0.flags.contains(.startsMidLine) } == [false, false, true])
        #expect(reading.records.map(\.lines) == [1, 0, 1])
        #expect(reading.missing.isEmpty)
    }

    @Test("a block is closed at the first line's end from 256 KiB on")
    func rollsAtLineEnd() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(700_000)
        for start in stride(from: 0, to: text.count, by: 4096) {
            try fixture.append(Array(text[start..<min(text.count, start + 4096)]))
        }
        let closed = fixture.writer.takeClosedPairs()
        #expect(closed.count == 2)
        for base in closed {
            let pair = try PairFile(fixture.layout, base: base, fileSystem: fixture.store.fileSystem)
            #expect((StoreLimits.blockTarget..<StoreLimits.blockTarget + 200).contains(pair.committedLength))
            #expect(text[Int(pair.end) - 1] == Lines.feed)
        }
        #expect(try fixture.read().bytes == text)
    }

    @Test("without a line's end a block is closed at 320 KiB")
    func rollsHard() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
        try fixture.append(text)
        #expect(fixture.writer.takeClosedPairs() == [0, 327_680, 655_360])
        let reading = try fixture.read()
        #expect(reading.bytes == text)
        #expect(reading.records.dropFirst().allSatisfy { $0.flags.contains(.startsMidLine) })
    }

    @Test("a record never counts more line feeds than it can hold")
    func countsLines() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append([UInt8](repeating: Lines.feed, count: 200_000))
        let reading = try fixture.read()
        #expect(reading.records.reduce(0) { $0 + Int($1.lines) } == 200_000)
        #expect(reading.bytes.count == 200_000)
    }

    @Test("zstdcat of the segments, then cat of the logs, gives the whole history byte for byte")
    func shellReadsAll() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 1 << 20))
        let text = consoleText(4_000_000)
        for start in stride(from: 0, to: text.count, by: 50_000) {
            try fixture.append(Array(text[start..<min(text.count, start + 50_000)]))
            try fixture.sealAndSync()
        }
        let names = try fixture.names()
        #expect(names.filter { $0.hasSuffix(".log.zst") }.count > 1)
        #expect(names.filter { $0.hasSuffix(".log") }.count == 1)
        #expect(try run("cd \(fixture.writer.path) && zstdcat *.log.zst && cat *.log") == text)
        #expect(try fixture.read().bytes == text)
    }

    @Test("a closed segment ends with a seek table that matches its frames")
    func writesSeekTable() throws {
        let fixture = try StoreFixture(root: folder.path)
        let text = consoleText(18_000_000)
        try fixture.append(text)
        try fixture.sealAndSync()
        let segment = try #require(try fixture.names().first { $0.hasSuffix(".log.zst") })
        let file = try StoredFile(fixture.writer.path + "/" + segment, .read, on: fixture.store.fileSystem)
        let bytes = try file.read(at: 0, count: try file.size)
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        #expect(word(bytes.count - 4) == 0x8F92_EAB1)
        let count = word(bytes.count - 9)
        let table = bytes.count - 9 - count * 8
        #expect(word(table - 8) == 0x184D_2A5E)
        #expect(word(table - 4) == count * 8 + 9)
        var at = 0
        var text2: [UInt8] = []
        #expect(count == 2 * StoreLimits.blocksPerSegment)
        for entry in 0..<8 {
            let (compressed, raw) = (word(table + entry * 8), word(table + entry * 8 + 4))
            #expect(word(at) == (entry % 2 == 0 ? 0x184D_2A5C : 0xFD2F_B528))
            if raw > 0 {
                text2 += try run(
                    "tail -c +\(at + 1) \(fixture.writer.path)/\(segment) | head -c \(compressed) | zstdcat"
                )
            }
            at += compressed
        }
        #expect(text2 == Array(text[..<text2.count]) && text2.count > 500_000)
    }

    @Test("a follower gets everything once, across roll, seal and unlink")
    func followsThrough() throws {
        let fixture = try StoreFixture(root: folder.path)
        let follower = StreamBatches(fixture.reader)
        let text = consoleText(1_500_000)
        var got = try Reading(follower)
        for (number, start) in stride(from: 0, to: text.count, by: 9973).enumerated() {
            try fixture.append(Array(text[start..<min(text.count, start + 9973)]))
            if number % 3 == 0 { got.merge(try Reading(follower)) }
            if number % 4 == 0 { try fixture.seal() }
            if number % 5 == 0 { got.merge(try Reading(follower)) }
            if number % 7 == 0 { try fixture.sealer.synchronize() }
        }
        got.merge(try Reading(follower))
        #expect(got.bytes == text)
        #expect(got.missing.isEmpty)
    }

    @Test("a follower in the middle of a batch does not get a marker twice when another follows")
    func markersOneByOne() throws {
        let fixture = try StoreFixture(root: folder.path)
        let follower = StreamBatches(fixture.reader)
        try fixture.append("a\n")
        var got = try Reading(follower)
        for _ in 0..<4 {
            try fixture.mark(.kernel)
            got.merge(try Reading(follower))
        }
        #expect(got.markers.count == 4)
        #expect(follower.cursor == Cursor(offset: 2, markers: 4))
        #expect(try fixture.reader.end() == follower.cursor)
    }

    @Test("every cursor ever returned gives exactly the rest, at any later time")
    func cursorsResume() throws {
        let fixture = try StoreFixture(root: folder.path)
        var cursors: [Cursor: Int] = [:]
        var log: [String] = []
        let follower = StreamBatches(fixture.reader)
        /// The stream as a list: each byte, and each marker by its number.
        func entries(from cursor: Cursor) throws -> [String] {
            var out: [String] = []
            let reading = try Reading(StreamBatches(fixture.reader, from: cursor))
            var position = cursor.offset
            for record in reading.records {
                if record.isMarker {
                    out.append("m\(RecordDetail(decoding: record.detail).gap?.bytes ?? 0)")
                } else {
                    out += (max(record.offset, position)..<record.end).map { "b\($0)" }
                    position = record.end
                }
            }
            return out
        }
        var markers: UInt64 = 0
        for step in 0..<60 {
            switch step % 6 {
            case 0, 3: try fixture.append("line \(step)\n")
            case 1, 4: markers += 1; try fixture.markGap(markers)
            case 2: fixture.writer.roll()
            default: markers += 1; try fixture.markGap(markers); if step % 12 == 5 { try fixture.sealAndSync() }
            }
            cursors[follower.cursor] = log.count
            while let batch = try follower.next() {
                var reading = Reading()
                reading.take(batch)
                for record in reading.records {
                    log +=
                        record.isMarker
                        ? ["m\(RecordDetail(decoding: record.detail).gap?.bytes ?? 0)"]
                        : (record.offset..<record.end).map { "b\($0)" }
                }
                cursors[follower.cursor] = log.count
            }
            for (cursor, count) in cursors {
                #expect(try entries(from: cursor) == Array(log[count...]), "step \(step), cursor \(cursor)")
            }
        }
        #expect(try entries(from: .start) == log)
        #expect(log.filter { $0.hasPrefix("m") }.count == Int(markers))
    }

    @Test("summaries match the blocks")
    func summariesAgree() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.mark(.powerOn)
        try fixture.append(consoleText(900_000))
        try fixture.sealAndSync()
        try fixture.append("last words\n")
        let summaries = try fixture.reader.summaries()
        var offset: UInt64 = 0
        for summary in summaries {
            #expect(summary.offset == offset)
            offset = summary.end
            let batch = try #require(try fixture.reader.batch(at: Cursor(offset: summary.offset)))
            #expect(batch.block.offset == summary.offset && batch.block.end == summary.end)
            let records = try fixture.reader.records(of: summary)
            #expect(records.map(\.end) == batch.block.records.map(\.end))
            #expect(records.reduce(0) { $0 + Int($1.lines) } == summary.lines)
            #expect(records.map(\.time).min() == summary.timeRange.lowerBound)
            #expect(records.map(\.time).max() == summary.timeRange.upperBound)
            #expect(records.reduce(into: RecordFlags()) { $0.formUnion($1.flags) } == summary.flags)
            #expect(batch.block.text.reduce(0) { $0 + ($1 == Lines.feed ? 1 : 0) } == summary.lines)
        }
        #expect(offset == fixture.writer.nextOffset)
        #expect(summaries.first?.flags.contains(.boot) == true)
    }

    @Test("closed segments that ended before the requested time are not opened")
    func skipsOldSegments() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 2 << 20))
        try fixture.pour(consoleText(5_000_000))
        try fixture.sealAndSync()
        fixture.clock.advance(3_600_000_000)
        let later = fixture.clock.time
        try fixture.pour(consoleText(600_000))
        try fixture.sealAndSync()
        let all = try fixture.reader.summaries()
        let some = try fixture.reader.summaries(since: later)
        #expect(some.count < all.count / 2)
        #expect(some.filter { $0.timeRange.upperBound >= later } == all.filter { $0.timeRange.upperBound >= later })
        // A file with invalid contents in place of an old segment is not read.
        let first = try #require(try fixture.names().first)
        let path = fixture.writer.path + "/" + first
        let modified = try #require(fixture.store.fileSystem.status(path)).modifiedMicroseconds
        try StoredFile(path, .update, on: fixture.store.fileSystem).truncate(to: 10)
        try fixture.store.fileSystem.setModified(path, modified)
        #expect(try fixture.reader.summaries(since: later) == some)
    }

    @Test("a clock that steps back a little is held, one that steps back far begins a block")
    func clockSteps() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("a\n")
        let before = fixture.clock.time
        fixture.clock.advance(-900_000)
        try fixture.append("b\n")
        fixture.clock.advance(-3_000_000)
        try fixture.append("c\n")
        let records = try fixture.read().records
        #expect(records[1].time == before && !records[1].flags.contains(.clockStepped))
        #expect(records[2].time == fixture.clock.time && records[2].flags.contains(.clockStepped))
        #expect(try fixture.reader.summaries().map(\.offset) == [0, 4])
    }

    @Test("a VM that was deleted and appears again under its name begins a new history")
    func newInstance() throws {
        let store = Store(root: folder.path)
        let time = Timestamp(microseconds: 1)
        do {
            let first = try VMStore(store: store, name: "a b", hostBoot: "x", now: time)
            try first.end(at: time)
        }
        let second = try VMStore(store: store, name: "a b", hostBoot: "x", now: time)
        #expect(second.vm.identity.instance == 1 && second.vm.directory == "a%20b~1")
        #expect(try store.vms().map(\.identity.instance) == [0, 1])
    }

    @Test("a UUID that is known in one namespace opens nothing in another")
    func uuidOfAnotherNamespace() throws {
        let store = Store(root: "/store", fileSystem: SimulatedFileSystem(seed: 1))
        let time = Timestamp(microseconds: 5)
        func open(_ namespace: String?) throws(SystemError) -> VMStore {
            let uuid = "6a1f0000-0000-4000-8000-00000000abcd"
            return try VMStore(store: store, name: "a", uuid: uuid, namespace: namespace, hostBoot: "x", now: time)
        }
        do { _ = try open("mine") }
        let error = #expect(throws: SystemError.self) { _ = try open("other") }
        #expect(error?.code == SystemError.notPermitted && error?.reason.contains("is in namespace mine") == true)
        #expect(try open("mine").vm.identity.namespace == "mine")
        // A source that knows no namespaces.
        do { _ = try open(nil) }
        #expect(store.vm(in: "6a1f0000-0000-4000-8000-00000000abcd")?.identity.namespace == "mine")
    }

    @Test("a UUID is the identity, whatever the name")
    func uuidIdentity() throws {
        let store = Store(root: folder.path)
        let uuid = "6a1f0000-0000-4000-8000-00000000abcd"
        let time = Timestamp(microseconds: 1)
        do { _ = try VMStore(store: store, name: "old", uuid: uuid.uppercased(), hostBoot: "x", now: time) }
        let renamed = try VMStore(store: store, name: "new", uuid: uuid, hostBoot: "x", now: Timestamp(microseconds: 9))
        #expect(renamed.vm.directory == uuid && renamed.vm.created == time)
        #expect(try store.vms().map(\.identity.name) == ["new"])
    }

    @Test("an invalid UUID names no folder outside the store")
    func badUUID() throws {
        let store = Store(root: folder.path)
        let vm = try VMStore(store: store, name: "x", uuid: "../../evil", hostBoot: "x", now: .distantPast)
        #expect(vm.vm.directory == "x")
    }

    @Test("a stream with very many markers takes more of them before text, and then text and markers as ever")
    func manyMarkers() throws {
        let fixture = try StoreFixture(root: folder.path)
        let marker = RecordDetail(boot: BootDetail(event: .closed, position: 0))
        func mark(isBeforeText: Bool = false) throws -> Bool {
            try fixture.writer.mark(marker, time: fixture.clock.time, isBeforeText: isBeforeText)
        }
        for _ in 0..<StoreLimits.recordsPerPair {
            #expect(try mark())
        }
        #expect(try !mark())
        #expect(try mark(isBeforeText: true))
        try fixture.append("words\n")
        #expect(try mark())
        try fixture.restart()
        #expect(try fixture.read().text == "words\n")
        #expect(try fixture.read().markers.count == StoreLimits.recordsPerPair + 2)
    }

    @Test("gaps of any claimed size are stored, and their sum is a number")
    func immenseGaps() throws {
        let fixture = try StoreFixture(root: folder.path)
        for _ in 0..<4 {
            try fixture.markGap(.max)
            try fixture.append("words\n")
        }
        try fixture.sealAndSync()
        #expect(try fixture.read().gaps.map(\.bytes) == Array(repeating: GapDetail.maximumCount, count: 4))
    }

    @Test("a stream's lock excludes a second writer until the first has closed")
    func lockExcludes() throws {
        let store = Store(root: folder.path)
        var first: VMStore? = try VMStore(store: store, name: "a", hostBoot: "x", now: .distantPast)
        _ = try first?.open(.console0, now: .distantPast)
        let second = try VMStore(store: store, name: "a", hostBoot: "x", now: .distantPast)
        let error = #expect(throws: SystemError.self) { try second.open(.console0, now: .distantPast) }
        #expect(error?.code == SystemError.wouldBlock)
        #expect(error?.description == "lock \(folder.path)/a/console0: another process writes this stream")
        first = nil
        _ = try second.open(.console0, now: .distantPast)
    }

    @Test("files closed to save descriptors are reopened by the next append")
    func closesFiles() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("a\n")
        fixture.writer.closeFiles()
        #expect(!fixture.writer.isOpen && fixture.writer.activeLength == 2)
        try fixture.append("b\n")
        #expect(try fixture.read().text == "a\nb\n")
        #expect(try fixture.reader.summaries().count == 1)
    }

    @Test("markers without a byte between them are limited, and stay readable when sealed")
    func boundsMarkers() throws {
        let fixture = try StoreFixture(root: folder.path)
        for _ in 0..<(StoreLimits.recordsPerPair + 100) {
            try fixture.mark(.powerOn)
        }
        try fixture.append("x\n")
        try fixture.append("y\n")
        try fixture.sealAndSync()
        let reading = try fixture.read()
        #expect(reading.text == "x\ny\n")
        #expect(reading.markers.count == StoreLimits.recordsPerPair)
        #expect(try fixture.names().contains { $0.hasSuffix(".log.zst") })
    }

    @Test("markers of a gap that lasts leave room for the closing one")
    func boundsOpenMarkers() throws {
        let fixture = try StoreFixture(root: folder.path)
        var isWritten: [Bool] = []
        for number in 0..<StoreLimits.recordsPerPair {
            let isLast = number == StoreLimits.recordsPerPair - 1
            let gap = GapDetail(reason: .overflow, bytes: 1, lines: 0, since: fixture.clock.time, isClosed: isLast)
            isWritten.append(try fixture.writer.mark(RecordDetail(gap: gap), time: fixture.clock.time))
        }
        #expect(isWritten.count(where: \.self) == StoreLimits.recordsPerPair / 2 + 1 && isWritten.last == true)
    }
}

extension Reading {
    init() {}

    mutating func merge(_ other: Reading) {
        bytes += other.bytes
        markers += other.markers
        missing += other.missing
        records += other.records
        cursors += other.cursors
    }
}
