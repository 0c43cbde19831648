// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct InflightRingTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/1-0.ring" }

    private func ring(_ capacity: Int = 1 << 20) throws -> InflightRing {
        try InflightRing(path: path, capacity: capacity, hostBoot: "boot", store: "/store")
    }

    /// Puts an entry of `count` bytes of `value`; returns whether there was room.
    private func put(_ ring: InflightRing, _ count: Int, _ value: UInt8, slot: Int = 0) -> Bool {
        guard let room = ring.reserve(), room.count >= count else {
            return false
        }
        for index in 0..<count {
            room[index] = value
        }
        ring.publish(count, kind: .data, slot: slot, time: Int64(value))
        return true
    }

    @Test("entries are read in order and complete, over many turns of the ring")
    func turns() throws {
        let ring = try ring()
        var random = SeededGenerator(seed: 3)
        var expected: [(count: Int, value: UInt8)] = []
        var position = ring.tail
        var taken = 0
        for step in 0..<20_000 {
            let count = Int.random(in: 1...InflightRing.maximumPayload / 8, using: &random)
            let value = UInt8(truncatingIfNeeded: step)
            if put(ring, count, value) {
                expected.append((count, value))
            }
            while Bool.random(using: &random), let entry = ring.entry(at: position) {
                position = entry.end
                ring.tail = position
                guard entry.kind == .data else { continue }
                let (count, value) = expected.removeFirst()
                #expect(entry.payload.count == count && entry.payload.allSatisfy { $0 == value })
                taken += 1
            }
        }
        #expect(taken > 5000)
    }

    @Test("a full ring has no room until the tail moves")
    func full() throws {
        let ring = try ring()
        while put(ring, InflightRing.maximumPayload, 7) {}
        let left = ring.reserve()?.count ?? 0
        #expect(left < InflightRing.maximumPayload)
        let first = try #require(ring.entry(at: ring.tail))
        ring.tail = first.end
        let second = try #require(ring.entry(at: ring.tail))
        ring.tail = second.end
        #expect(put(ring, InflightRing.maximumPayload, 8))
    }

    @Test("published entries outlive the process, with their state and losses")
    func outlives() throws {
        do {
            let ring = try ring()
            try ring.setKey(Array("key".utf8), of: 5)
            #expect(put(ring, 10, 1, slot: 5) && put(ring, 20, 2, slot: 5))
            let done = try #require(ring.entry(at: ring.tail))
            done.state = .done
            ring.setShardLoss(5, InflightRing.Loss(bytes: 9, lines: 1, since: 2, reason: 1))
        }
        let again = try #require(try InflightRing(existing: path, hostBoot: "boot"))
        #expect(again.slotsUsed == 6 && again.key(of: 5) == Array("key".utf8))
        let first = try #require(again.entry(at: again.tail))
        let second = try #require(again.entry(at: first.end))
        #expect(first.state == .done && second.state == .fresh && second.payload.count == 20)
        #expect(again.hasUnwrittenMarkers(5) && again.shardLoss(5).bytes == 9)
        #expect(again.entry(at: second.end) == nil)
    }

    @Test("a ring of another boot of the host has no entries")
    func otherBoot() throws {
        do { #expect(put(try ring(), 10, 1)) }
        #expect(try InflightRing(existing: path, hostBoot: "another") == nil)
    }
}
