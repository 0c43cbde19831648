// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct RateMeterTests {
    @Test("a burst passes, a flood is limited to the rate, and the end is detected after a second's worth of tokens")
    func meter() {
        var meter = RateMeter(RateLimit(rate: 1000, burst: 5000), now: 0)
        func isAllowed(at now: Int64, spending bytes: Int) -> Bool {
            let isAllowed = meter.allows(at: now)
            meter.spend(isAllowed ? bytes : 0)
            return isAllowed
        }
        #expect(isAllowed(at: 0, spending: 5001))
        #expect(!isAllowed(at: 1, spending: 1))
        #expect(!isAllowed(at: 500_000, spending: 1))
        #expect(isAllowed(at: 1_001_001, spending: 100))
        #expect(isAllowed(at: 1_001_002, spending: 100))
    }

    @Test("a steady flood over an hour passes no more than its rate and one burst")
    func flood() {
        var meter = RateMeter(RateLimit(rate: 1000, burst: 5000), now: 0)
        var passed = 0
        for step in 0..<360_000 where meter.allows(at: Int64(step) * 10_000) {
            passed += 100
            meter.spend(100)
        }
        #expect((3_500_000...3_605_100).contains(passed), "\(passed)")
    }
}
