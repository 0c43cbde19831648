// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import virt_tail

@Suite struct TailStateTests {
    @Test("a signal ends the program when all is written, at the latest after the grace")
    func signal() {
        var state = TailState(stopOn: .signal)
        state.handle(.drained(quietFor: 1_000_000), at: 10)
        #expect(state.phase == .running)
        state.handle(.signal(SIGTERM), at: 100)
        state.handle(.progress, at: 500_000)
        state.handle(.time, at: 99 + TailState.grace)
        #expect(!state.isEnded)
        var copy = state
        copy.handle(.drained(quietFor: 0), at: 200)
        #expect(copy.phase == .ended(.signal(SIGTERM)))
        state.handle(.time, at: 100 + TailState.grace)
        #expect(state.phase == .ended(.signal(SIGTERM)))
    }

    @Test("a second signal ends it at once")
    func twice() {
        var state = TailState(stopOn: .signal)
        state.handle(.signal(SIGTERM), at: 100)
        state.handle(.signal(SIGINT), at: 101)
        #expect(state.isEnded)
    }

    @Test("SIGTERM can be switched off, SIGINT cannot")
    func switchedOff() {
        var state = TailState(stopOn: .socket)
        state.handle(.signal(SIGTERM), at: 100)
        #expect(state.phase == .running)
        state.handle(.signal(SIGINT), at: 100)
        #expect(state.phase != .running)
    }

    @Test("the socket's disappearance ends it after the last writes, but a socket that was never there does not")
    func socket() {
        var state = TailState(stopOn: .socket)
        #expect(state.awaitsSocket)
        state.handle(.socket(exists: false), at: 100)
        #expect(state.phase == .running && state.awaitsSocket)
        state.handle(.socket(exists: true), at: 200)
        #expect(state.phase == .running && !state.awaitsSocket)
        state.handle(.socket(exists: false), at: 300)
        state.handle(.drained(quietFor: 100), at: 400)
        #expect(!state.isEnded)
        // The last line came long before the end.
        state.handle(.drained(quietFor: 10 * TailState.lastWrites), at: 299 + TailState.lastWrites)
        #expect(!state.isEnded)
        state.handle(.progress, at: 700_000)
        state.handle(.time, at: 1_400_000)
        #expect(!state.isEnded)
        state.handle(.drained(quietFor: TailState.lastWrites), at: 1_450_000)
        #expect(state.phase == .ended(.socketGone))
    }

    @Test("the termination file, and the end of the file of a running VM, end it where they are chosen")
    func files() {
        for event in [TailState.Event.terminationFile(exists: true), .runningFile(exists: false)] {
            for causes in [TailOptions.StopCauses.signal, .file] {
                var state = TailState(stopOn: causes)
                state.handle(.runningFile(exists: false), at: 1)
                #expect(state.phase == .running)
                state.handle(.runningFile(exists: true), at: 2)
                state.handle(event, at: 3)
                #expect((state.phase == .running) == (causes == .signal))
            }
        }
    }

    @Test("without a reader it ends at once, in any phase")
    func closed() {
        var state = TailState(stopOn: [])
        state.handle(.outputClosed, at: 1)
        #expect(state.phase == .ended(.outputClosed))
    }
}
