// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// How much of a ring one stream may use, and when its source is read again.
@Suite(.blocking) struct RingShareTests {
    private static let options = StreamOptions(rate: nil)

    /// A site whose store hangs, with a stream that has filled its share by entries of `size` bytes, and another one.
    private func site(entries size: Int) throws -> (site: Site, full: Opened, other: Opened) {
        let site = try Site()
        try site.capture.awaitStore()
        site.fileSystem.set(.hanging)
        let (full, other) = (Opened(), Opened())
        try site.onShard { capture, shard in
            full.intake = try capture.open(StreamKey(name: "full"), options: Self.options, on: shard)
            other.intake = try capture.open(StreamKey(name: "other"), options: Self.options, on: shard)
            let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: size)
            let enough = shard.ring.capacity / InflightRing.space(of: size)
            for _ in 0..<enough {
                bytes.withUnsafeBytes { full.intake?.put($0) }
            }
        }
        return (site, full, other)
    }

    @Test("after a drop a source waits until half of its share is free, instead of dropping what it prints meanwhile")
    func waits() throws {
        let (site, full, _) = try site(entries: 60_000)
        try site.onShard { _, shard in
            let intake = try #require(full.intake)
            #expect(!intake.hasRoom)
            // As the writer does.
            shard.ring.removeHeld(intake.slot, 60_000)
            shard.ring.removeHeld(intake.slot, 60_000)
            #expect(!intake.hasRoom)
            while shard.ring.held(intake.slot) > shard.share / 2 {
                shard.ring.removeHeld(intake.slot, 60_000)
            }
            #expect(intake.hasRoom)
        }
        site.fileSystem.set(.healthy)
    }

    @Test("a stream that is received byte by byte leaves others their share of the ring")
    func byByte() throws {
        let (site, full, other) = try site(entries: 1)
        try site.onShard { _, shard in
            #expect(full.intake?.hasRoom == false && other.intake?.hasRoom == true)
            Array("hello\n".utf8).withUnsafeBytes { other.intake?.put($0) }
        }
        site.fileSystem.set(.healthy)
        #expect(eventually { site.text("other") == "hello\n" })
        #expect(try site.stored("other").gaps.isEmpty)
        #expect(eventually { (try? site.stored("full").gaps.isEmpty) == false })
    }
}
