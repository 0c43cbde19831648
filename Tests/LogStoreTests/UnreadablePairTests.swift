// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Pairs that the disk cannot read when they are to be sealed: for a while, or for good.
@Suite(.blocking) struct UnreadablePairTests {
    /// How much time passes between two attempts, in microseconds.
    private static let second: Int64 = 1_000_000

    private let files = SimulatedFileSystem(seed: 1)

    /// A stream of two closed pairs, the first of which has a gap's marker.
    private func twoPairs() throws -> (fixture: StoreFixture, first: [String]) {
        let fixture = try StoreFixture(root: "/store", fileSystem: files)
        try fixture.append("one\n")
        try fixture.markGap(7)
        fixture.writer.roll()
        try fixture.append("two\n")
        fixture.writer.roll()
        return (fixture, [fixture.layout.log(0), fixture.layout.index(0)])
    }

    /// Passes the closed pairs to the sealer, whatever comes of them.
    private func seal(_ fixture: StoreFixture) {
        for base in fixture.writer.takeClosedPairs() {
            _ = try? fixture.sealer.seal(base, of: fixture.stream)
        }
    }

    @Test("a pair that the disk cannot read for a while is sealed in its place afterwards", arguments: [0, 1])
    func passes(file: Int) throws {
        let (fixture, first) = try twoPairs()
        files.spoil(first[file])
        seal(fixture)
        for _ in 0..<200 {
            fixture.clock.advance(Self.second)
            #expect(try fixture.sealer.synchronize()?.subject == first[file])
        }
        files.spoil(first[file], recovers: true)
        fixture.clock.advance(60 * Self.second)
        #expect(try fixture.sealer.synchronize() == nil)
        try fixture.sealer.synchronize()
        #expect(try fixture.names().filter { $0.hasSuffix(".log") || $0.contains("damaged") }.isEmpty)
        let reading = try fixture.read()
        #expect(reading.text == "one\ntwo\n" && reading.gaps.map(\.bytes) == [7])
    }

    @Test("a pair that cannot be read at a start is kept, and sealed when it can be read", arguments: [0, 1])
    func atStart(isLast: Int) throws {
        let (fixture, first) = try twoPairs()
        let path = isLast == 1 ? fixture.layout.log(4) : first[0]
        files.spoil(path)
        files.processDies()
        try fixture.restart()
        try fixture.append("three\n")
        seal(fixture)
        files.spoil(path, recovers: true)
        fixture.clock.advance(60 * Self.second)
        try fixture.sealAndSync()
        try fixture.sealer.synchronize()
        let reading = try fixture.read()
        #expect(reading.text == "one\ntwo\nthree\n")
        #expect(reading.gaps.map(\.bytes) == (isLast == 1 ? [7, nil] : [7]))
    }

    @Test("a pair that cannot be read for minutes is reported, delays no other, and is read once that is possible")
    func lasts() throws {
        var reported: [String] = []
        let (fixture, first) = try twoPairs()
        let sealer = Sealer(store: fixture.store, retention: fixture.retention, clock: fixture.clock) {
            reported.append($0.subject)
        }
        files.spoil(first[0])
        for base in fixture.writer.takeClosedPairs() {
            #expect(throws: SystemError.self) { try sealer.seal(base, of: fixture.stream) }
        }
        for _ in 0..<400 where sealer.isDirty {
            fixture.clock.advance(Self.second)
            try sealer.synchronize()
        }
        #expect(!sealer.isDirty && reported == [first[0]])
        #expect(try fixture.names().filter { $0.hasSuffix(".log") }.count == 1)
        #expect(try fixture.read().text == "two\n")
        files.spoil(first[0], recovers: true)
        #expect(try fixture.read().text == "one\ntwo\n")
        files.processDies()
        try fixture.restart()
        let reading = try fixture.read()
        #expect(reading.text == "one\ntwo\n" && reading.gaps.map(\.bytes) == [7])
    }

    @Test("a skipped pair is removed by retention with the text after it")
    func retained() throws {
        let fixture = try StoreFixture(root: "/store", fileSystem: files, quota: Quota(bytes: 1 << 20))
        try fixture.append("one\n")
        fixture.writer.roll()
        files.spoil(fixture.layout.log(0))
        seal(fixture)
        for _ in 0..<400 {
            fixture.clock.advance(Self.second)
            try fixture.sealer.synchronize()
        }
        #expect(try fixture.names().contains { $0.hasSuffix(".log") })
        files.spoil(fixture.layout.log(0), recovers: true)
        var random = SeededGenerator(seed: 5)
        try fixture.pour((0..<3 << 20).map { _ in UInt8.random(in: 33...126, using: &random) })
        let bases = try fixture.layout.extents(on: files).map(\.base)
        #expect(!bases.contains(0))
    }
}
