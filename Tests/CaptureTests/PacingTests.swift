// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Capture

/// When the writer pauses.
@Suite struct PacingTests {
    @Test("the writer pauses between the turns of a busy stream, and not after the answers that a client waits for")
    func pauses() {
        var pause = TurnPause()
        #expect(pause.pause(after: 80, at: 0) == nil && pause.pause(after: 80, at: 100) == nil)
        #expect(pause.pause(after: 4096, at: 200) == nil, "it was quiet before")
        #expect(pause.pause(after: 4096, at: 900) == TurnPause.length)
        #expect(pause.pause(after: TurnPause.mostBytes, at: 1500) == nil, "there is nothing to gain")
        #expect(pause.pause(after: 4096, at: 1600) == TurnPause.length)
        #expect(pause.pause(after: 4096, at: 1600 + TurnPause.interval + 1) == nil, "it was quiet again")
    }

    @Test("a shard pauses after quick small pieces, and not after large ones, or where a guest waits for an answer")
    func readPauses() {
        var pause = ReadPause()
        let small = (0..<9).map { pause.pause(after: 80, inReads: 1, at: Int64($0) * 5) }
        #expect(small.map { $0 != nil } == [false, false, false, false, true, false, false, false, true])
        #expect((0..<9).allSatisfy { pause.pause(after: 65536, inReads: 1, at: 100 + $0 * 20) == nil })
        #expect((0..<9).allSatisfy { pause.pause(after: 80, inReads: 1, at: 1000 + $0 * 150) == nil })
        // Many streams, each with little.
        #expect((0..<5).contains { pause.pause(after: 200 * 80, inReads: 200, at: 5000 + $0 * 50) != nil })
        // A read after the pause returns much, and begins the count anew.
        #expect(pause.pause(after: 20_000, inReads: 1, at: 5800) == nil)
        #expect((1...3).allSatisfy { pause.pause(after: 80, inReads: 1, at: 5800 + $0 * 5) == nil })
        #expect(pause.pause(after: 80, inReads: 1, at: 5820) == ReadPause.length)
    }
}
