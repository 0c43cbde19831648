// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import SystemIO

@Suite struct PollTests {
    @Test("a wait does not end before its time, and a time that has passed is none")
    func time() throws {
        let pipe = try Descriptor.pipe()
        let clock = SystemClock()
        for microseconds in [Int64(1), 999, 1001, 1999] {
            let begin = clock.monotonicMicroseconds()
            var polled = [pollfd(pipe.first.raw)]
            #expect(Poll.wait(for: &polled, microseconds: microseconds) == 0)
            #expect(clock.monotonicMicroseconds() - begin >= microseconds)
        }
        for microseconds in [0, -1, Int64.min] {
            var polled = [pollfd(pipe.first.raw)]
            #expect(Poll.wait(for: &polled, microseconds: microseconds) == 0)
        }
    }

    @Test("a descriptor that is ready ends a wait without a limit")
    func ready() throws {
        let pipe = try Descriptor.pipe()
        var polled = [pollfd(-1), pollfd(pipe.second.raw, POLLOUT)]
        #expect(Poll.wait(for: &polled, microseconds: nil) == 1)
        #expect(polled[0].revents == 0 && polled[1].revents == Int16(POLLOUT))
        #expect(Poll.wait(for: &polled, microseconds: .max) == 1)
    }
}
