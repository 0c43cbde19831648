// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import LogStore

/// The position of a replayable stream's source, found again in every state of the store.
@Suite(.blocking) struct SourcePositionTests {
    let files = SimulatedFileSystem(seed: 1)
    let properties = StreamProperties(encoding: .json, isReplayable: true)

    init() { files.shortensWrites = false }

    private func fixture(quota: Quota = .default) throws -> StoreFixture {
        try StoreFixture(root: "/store", fileSystem: files, quota: quota, properties: properties)
    }

    private func restart(_ fixture: StoreFixture) throws {
        files.processDies()
        try fixture.restart(properties: properties)
    }

    private func appendWhole(_ count: Int, _ source: UInt8?, to fixture: StoreFixture) throws {
        let bytes = Array(repeating: UInt8(ascii: "x"), count: count - 1) + [Lines.feed]
        fixture.clock.advance(1000)
        try bytes.withUnsafeBytes {
            let detail = source.map { RecordDetail(source: [$0]) }
            try fixture.writer.append($0, time: fixture.clock.time, detail: detail, isWhole: true)
        }
    }

    @Test("a batch is one index record, and begins the next block when it does not fit into this one")
    func whole() throws {
        let fixture = try fixture()
        for number in 1...4 {
            try appendWhole(120_000, UInt8(number), to: fixture)
        }
        let reading = try fixture.read()
        #expect(reading.records.map(\.length) == [120_000, 120_000, 120_000, 120_000])
        #expect(reading.records.map { RecordDetail(decoding: $0.detail).source } == [[1], [2], [3], [4]])
        #expect(fixture.writer.takeClosedPairs() == [0], "the third fills the block")
    }

    @Test("it is found in sealed blocks when no pair has it")
    func sealed() throws {
        let fixture = try fixture()
        try appendWhole(1000, 1, to: fixture)
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.append("a record whose rest was never wri")
        try restart(fixture)
        #expect(fixture.writer.source == [1] && fixture.writer.lengthSinceSource == 33)
        fixture.writer.roll()
        try fixture.sealAndSync()
        try restart(fixture)
        #expect(fixture.writer.source == [1] && fixture.writer.lengthSinceSource == 33)
    }

    @Test("of a record longer than a block, what was committed is known")
    func longRecord() throws {
        let fixture = try fixture()
        try appendWhole(1000, 1, to: fixture)
        try fixture.append(Array(repeating: UInt8(ascii: "x"), count: 700_000))
        #expect(fixture.writer.lengthSinceSource == 700_000)
        try fixture.sealAndSync()
        try restart(fixture)
        #expect(fixture.writer.source == [1] && fixture.writer.lengthSinceSource == 700_000)
        try appendWhole(300_000, 2, to: fixture)
        #expect(fixture.writer.source == [2] && fixture.writer.lengthSinceSource == 0)
    }

    @Test("it survives the removal of everything that retention may remove")
    func retention() throws {
        let fixture = try fixture(quota: Quota(bytes: 1 << 30, age: 1_000_000))
        try appendWhole(1000, 1, to: fixture)
        fixture.writer.roll()
        try fixture.sealAndSync()
        fixture.clock.advance(3600 * 1_000_000)
        try fixture.append("half a rec")
        _ = try fixture.retention.enforceAll(now: fixture.clock.time)
        #expect(try fixture.read().text == "half a rec")
        try restart(fixture)
        #expect(fixture.writer.source == [1] && fixture.writer.lengthSinceSource == 10)
    }

    @Test("after a crash of the host, a record that is sent again is whole after the gap")
    func hostCrash() throws {
        let fixture = try fixture()
        try appendWhole(1000, 1, to: fixture)
        try fixture.append("half a rec")
        files.processDies()
        try fixture.restart(hostBoot: "boot-2", properties: properties)
        #expect(fixture.writer.source == [1] && fixture.writer.lengthSinceSource == 0)
        #expect(try fixture.read().records.last?.isMarker == true)
    }
}
