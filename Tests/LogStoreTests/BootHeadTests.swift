// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Heads of boots of which the beginning was doubtful at first.
@Suite(.blocking) struct BootHeadTests {
    private let fixture: StoreFixture

    init() throws {
        // Segments have an eighth of the quota.
        fixture = try StoreFixture(
            root: "/store",
            fileSystem: SimulatedFileSystem(seed: 1),
            quota: Quota(bytes: 1 << 20)
        )
        try fixture.mark(.powerOn)
        try fixture.append("the first boot\n")
        try seal(400_000)
    }

    /// Appends text, and seals it.
    private func seal(_ count: Int) throws {
        try fixture.append(consoleText(count))
        fixture.writer.roll()
        try fixture.sealAndSync()
    }

    /// A reset without an announced end: its first line is doubtful until more text has followed. Returns its position.
    private func reset(
        _ number: Int,
        confirmedAfter count: Int,
        by event: BootEvent = .kernel
    ) throws -> UInt64 {
        let position = fixture.writer.nextOffset
        try fixture.mark(.doubtful)
        try fixture.append("reset \(number)\n")
        try seal(count)
        try fixture.writer.mark(
            RecordDetail(boot: BootDetail(event: event, position: position)),
            time: fixture.clock.time
        )
        try seal(600_000)
        return position
    }

    /// Removes the oldest text until about `count` bytes of the stream are left.
    private func trim(to count: UInt64) throws {
        let retention = fixture.retention
        let limit = fixture.writer.nextOffset - count
        let layout = StreamLayout(path: fixture.store.path(of: fixture.stream))
        while let oldest = try retention.extents(layout).evictable.first, oldest.base < limit {
            _ = try retention.remove([oldest], of: fixture.stream)
        }
    }

    private func positions(of event: BootEvent) throws -> [UInt64] {
        try fixture.read().boots.filter { $0.event == event }.map(\.position)
    }

    @Test(
        "a boot that was doubtful at first has a head from its first line on",
        arguments: [1000, 300_000, 900_000],
        [BootEvent.kernel, .firmware]
    )
    func doubtful(confirmedAfter count: Int, by event: BootEvent) throws {
        let positions = try (1...3).map { try reset($0, confirmedAfter: count, by: event) }
        for left: UInt64 in [2_000_000, 700_000, 100_000] {
            try trim(to: left)
            let reading = try fixture.read()
            #expect(left > 100_000 || reading.missing.contains { $0.from > positions[1] })
            #expect((1...3).allSatisfy { reading.text.contains("reset \($0)\n") }, "\(left) bytes left")
            #expect(try self.positions(of: event) == positions)
        }
    }

    @Test("without a boot's head only its bytes are damage; what retention removed is reported as that")
    func missingHead() throws {
        let positions = try (1...3).map { try reset($0, confirmedAfter: 1000) }
        try trim(to: 100_000)
        try fixture.store.fileSystem.remove(fixture.layout.head(positions[1]))
        let missing = try fixture.read().missing
        let damaged = missing.filter { $0.reason == .corruption }
        #expect(damaged.map(\.from) == [positions[1]])
        #expect(damaged.allSatisfy { $0.to - $0.from == UInt64(StoreLimits.headLength) })
        #expect(missing.allSatisfy { $0.reason == .corruption || $0.reason == .retention })
    }

    @Test("a doubtful beginning that nothing confirms has no head")
    func unconfirmed() throws {
        try fixture.mark(.doubtful)
        try fixture.append("printed again\n")
        for _ in 0..<4 {
            try seal(400_000)
        }
        try trim(to: 100_000)
        let reading = try fixture.read()
        #expect(reading.text.contains("the first boot\n") && !reading.text.contains("printed again\n"))
    }
}
