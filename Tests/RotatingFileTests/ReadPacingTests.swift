// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RotatingFile

@Suite struct ReadPacingTests {
    @Test("a byte per 87 µs, as of a serial port at 115,200 baud, costs at most 101 reads a second")
    func bytewise() {
        var pacing = ReadPacing()
        var (reads, next) = (0, Int64.max)
        for time in stride(from: Int64(1_000_000), to: 2_000_000, by: 87) {
            if next == .max {
                next = time + pacing.delay(at: time)
            }
            if next <= time {
                reads += 1
                pacing.didRead(1, at: time)
                next = .max
            }
        }
        #expect(reads > 50 && reads <= 101)
    }

    @Test("a line after quiet is read at once, and so is more after much")
    func atOnce() {
        var pacing = ReadPacing()
        #expect(pacing.delay(at: 5) == 0)
        pacing.didRead(80, at: 1_000_000)
        #expect(pacing.delay(at: 1_000_010) > 0)
        #expect(pacing.delay(at: 1_010_000) == 0)
        pacing.didRead(1 << 20, at: 1_020_000)
        #expect(pacing.delay(at: 1_020_010) == 0)
    }
}
