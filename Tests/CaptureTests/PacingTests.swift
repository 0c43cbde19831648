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
}
