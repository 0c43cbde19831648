// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import GuestlogService

struct RunInputTests {
    @Test("a terminal in the background is left alone, and taken when the job comes to the foreground")
    func background() {
        var input = RunInput(isTerminal: true)
        #expect(input.checked(isForeground: false) == nil)
        #expect(!input.isRead)
        #expect(input.interval != nil)
        #expect(input.checked(isForeground: true) == .takeTerminal)
        #expect(input.isRead)
        #expect(input.interval == nil)
    }

    @Test("a terminal that another job has taken is not read; raw mode is set again after SIGCONT")
    func resumed() {
        var input = RunInput(isTerminal: true)
        #expect(input.checked(isForeground: true) == .takeTerminal)
        #expect(input.checked(isForeground: true) == nil)
        #expect(input.resumed(isForeground: true) == .takeTerminal)
        #expect(input.resumed(isForeground: false) == nil)
        #expect(!input.isRead)
        #expect(input.resumed(isForeground: true) == .takeTerminal)
        input.ended()
        #expect(input.state == .closed)
        #expect(input.interval == nil)
    }

    @Test("each read after the end of a pipe gets an end; a command that does not read is asked ever more rarely")
    func end() {
        var input = RunInput(isTerminal: false)
        #expect(input.isRead)
        #expect(input.checked(isAwaited: true) == nil)
        input.ended()
        #expect(!input.isRead)
        #expect(input.checked(isAwaited: true) == .sendEnd)
        #expect(input.checked(isAwaited: true) == .sendEnd)
        var intervals: [Int32] = []
        for _ in 1...20 {
            intervals.append(input.interval ?? 0)
            #expect(input.checked(isAwaited: false) == nil)
        }
        #expect(intervals == intervals.sorted())
        #expect(intervals.last == 5000)
        #expect(input.checked(isAwaited: true) == .sendEnd)
        #expect(input.interval == intervals.first)
    }
}
