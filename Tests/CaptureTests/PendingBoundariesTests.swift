// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct PendingBoundariesTests {
    @Test("boundaries are returned as they were added, oldest first")
    func order() {
        let all: [ConsoleBoundary] = [
            .boot(.closed), .boot(.powerOn), .absence(.daemonAway), .boot(.joined), .absence(.disconnected),
        ]
        var pending = PendingBoundaries()
        all.forEach { pending.append($0) }
        // As the next process reads them.
        pending = PendingBoundaries(word: pending.word)
        var found: [ConsoleBoundary] = []
        while let first = pending.first {
            found.append(first)
            pending.removeFirst()
        }
        #expect(found == all && pending.isEmpty)
    }

    @Test("of more than eight boundaries the last eight stay")
    func bound() {
        var pending = PendingBoundaries()
        pending.append(.absence(.daemonAway))
        (0..<8).forEach { pending.append($0 % 2 == 0 ? .boot(.closed) : .boot(.powerOn)) }
        #expect(pending.first == .boot(.closed))
    }

    @Test("a boundary before the others is the oldest: it is returned first, and dropped when there are eight")
    func prepended() {
        var pending = PendingBoundaries()
        pending.prepend(.boot(.closed))
        pending.prepend(.absence(.disconnected))
        #expect(pending.first == .absence(.disconnected))
        pending.removeFirst()
        #expect(pending.first == .boot(.closed))
        (0..<7).forEach { _ in pending.append(.boot(.powerOn)) }
        let full = pending
        pending.prepend(.absence(.daemonAway))
        #expect(pending == full)
    }

    @Test("invalid bytes are ignored")
    func damaged() {
        var pending = PendingBoundaries(word: 0x7f_01_ff_00_10)
        #expect(pending.first == .boot(.powerOn))
        pending.removeFirst()
        #expect(pending.first == .boot(.closed))
        pending.removeFirst()
        #expect(pending.isEmpty)
    }
}
