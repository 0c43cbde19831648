// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import GuestlogService

struct RunEndTests {
    @Test("it ends when the command has ended and all output was copied, in either order")
    func ends() {
        var first = RunEnd()
        first.commandEnded(at: 0)
        #expect(first.state != .ended)
        #expect(first.copyEnded(isConnected: false) == [])
        #expect(first.state == .ended)
        var second = RunEnd()
        #expect(second.copyEnded(isConnected: false) == [])
        #expect(second.state == .closed)
        #expect(second.deadline == nil)
        second.commandEnded(at: 0)
        #expect(second.state == .ended)
    }

    @Test("a connection that is lost while the console is open is made again")
    func rejoins() {
        var end = RunEnd()
        #expect(end.copyEnded(isConnected: true) == [.rejoin])
        #expect(end.state == .running)
    }

    @Test("a terminal that outlives the command is closed after a while")
    func leftovers() throws {
        var end = RunEnd()
        end.commandEnded(at: 1000)
        let deadline = try #require(end.deadline)
        #expect(end.due(written: 5, at: deadline - 1) == [])
        #expect(end.due(written: 5, at: deadline) == [.closeConsole])
        #expect(end.copyEnded(isConnected: false) == [])
        #expect(end.state == .ended)
    }

    @Test("standard output is waited for as long as it takes something; after a signal for a shorter time")
    func stuckOutput() throws {
        var waits: [Int64] = []
        for isAsked in [false, true] {
            var end = RunEnd()
            if isAsked {
                end.asked()
            }
            end.commandEnded(at: 0)
            #expect(end.due(written: 5, at: try #require(end.deadline)) == [.closeConsole])
            for written in 6...8 {
                #expect(end.due(written: written, at: try #require(end.deadline)) == [])
                #expect(end.state != .ended)
            }
            let last = try #require(end.deadline)
            #expect(end.due(written: 8, at: last - 1) == [])
            #expect(end.due(written: 8, at: last) == [.reportUnwritten])
            #expect(end.state == .ended)
            waits.append(last)
        }
        #expect(waits[1] < waits[0])
    }
}
