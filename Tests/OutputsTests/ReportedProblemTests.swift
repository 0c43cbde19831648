// SPDX-License-Identifier: Apache-2.0

import LogModel
import Testing

@testable import Outputs

@Suite struct ReportedProblemTests {
    @Test("the third failure in a row is reported, the latest reason replaces it, and the log gets one a minute")
    func latest() {
        var problem = ReportedProblem()
        let second: Int64 = 1_000_000
        #expect(problem.fail("refused", pause: 0, now: 0) == nil)
        #expect(problem.fail("refused", pause: 0, now: 1) == nil)
        #expect(problem.fail("refused", pause: 0, now: 2) == .init(words: "refused", isLogged: true))
        #expect(problem.fail("refused", pause: 0, now: 3) == nil)
        #expect(problem.fail("401", pause: 0, now: 30 * second) == .init(words: "401", isLogged: false))
        #expect(problem.fail("401", pause: 0, now: 31 * second) == nil)
        // It lasts.
        #expect(problem.fail("401", pause: 0, now: 61 * second) == .init(words: "401", isLogged: true))
        #expect(problem.fail("401", pause: 0, now: 200 * second) == nil)
        #expect(problem.fail("503", pause: 0, now: 201 * second) == .init(words: "503", isLogged: true))
        #expect(problem.words == "503")
        #expect(problem.end() && problem.words == nil && !problem.end())
        #expect(problem.fail("refused", pause: 0, now: 202 * second) == nil)
    }

    @Test("a long pause is reported at once, with its end")
    func pause() {
        var problem = ReportedProblem()
        let now = Timestamp(microseconds: 1_763_658_005_000_000)
        let words = ReportedProblem.words("answered 429", pause: 3_600_000_000, now: now)
        #expect(words == "answered 429; as the receiver asks, sent again at 2025-11-20T18:00:05.000000Z")
        #expect(ReportedProblem.words("answered 429", pause: 30_000_000, now: now) == "answered 429")
        #expect(problem.fail(words, pause: 3_600_000_000, now: 0) == .init(words: words, isLogged: true))
    }
}
