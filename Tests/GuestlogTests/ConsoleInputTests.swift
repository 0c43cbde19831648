// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import TextFormats
import Testing

@testable import guestlog

@Suite("The input of a console session")
struct ConsoleInputTests {
    @Test("non-blocking input is passed on to its end, whenever it comes", arguments: [true, false])
    func nonBlocking(isTerminal: Bool) async {
        var pipe: [Int32] = [0, 0]
        #expect(gl_pipe(&pipe, O_CLOEXEC | O_NONBLOCK) == 0)
        defer { close(pipe[0]) }
        let keys = isTerminal ? ConsoleKeys(escape: 0x1d) : nil
        let input = ConsoleInput(keys: keys, isDropped: false, from: pipe[0]) { _ in }
        let stream = input.begin()
        input.join()
        var typed: [UInt8] = []
        #expect(write(pipe[1], "one ", 4) == 4)
        for await bytes in stream {
            typed += bytes
            if typed == Array("one ".utf8) {
                // The pipe is empty now.
                #expect(write(pipe[1], "two", 3) == 3)
            } else {
                close(pipe[1])
            }
        }
        #expect(typed == Array("one two".utf8))
        #expect(input.hasEnded)
    }
}
