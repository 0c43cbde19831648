// SPDX-License-Identifier: Apache-2.0

import LogModel
import Testing

@Suite struct TimestampTests {
    @Test(
        "nanoseconds end where 64 bits do",
        arguments: [
            (Timestamp.distantPast, Int64.min), (.distantFuture, .max),
            (Timestamp(microseconds: -11_676_096_000_000_000), .min),
            (Timestamp(microseconds: -1), -1000),
            (Timestamp(microseconds: 1_763_658_005_000_001), 1_763_658_005_000_001_000),
        ] as [(Timestamp, Int64)]
    )
    func nanoseconds(time: Timestamp, expected: Int64) {
        #expect(time.nanoseconds == expected)
    }
}
