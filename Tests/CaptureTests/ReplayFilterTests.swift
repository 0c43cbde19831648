// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import Capture

/// What is taken for a replay, and that no byte is lost whatever is not.
@Suite struct ReplayFilterTests {
    /// What a filter that knows `stored` lets through of `text`, given in pieces of that size.
    private func passed(_ text: [UInt8], after stored: [UInt8], piece: Int) -> [UInt8] {
        var filter: ReplayFilter? = ReplayFilter(stored: stored)
        var passed: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: piece) {
            let part = text[start..<min(text.count, start + piece)]
            guard var current = filter else {
                passed += part
                continue
            }
            let verdict = part.withUnsafeBytes { current.compare($0) }
            filter = verdict == .undecided ? current : nil
            switch verdict {
            case .undecided: break
            case .replay(let count): passed += part.dropFirst(count)
            case .new: passed += current.given + part
            }
        }
        return passed + (filter?.given ?? [])
    }

    private let log = Array((0..<200).map { "boot line \($0)\n" }.joined().utf8)

    @Test(
        "a replay of all or of the end of what is stored passes what follows it",
        arguments: [1, 7, 63, 64, 1000, 1 << 20]
    )
    func replays(piece: Int) {
        let more = Array("more\n".utf8)
        for start in [0, 1, 100, 1000] {
            // In pieces of one byte the beginning is found in many places, of which one remains.
            #expect(passed(log[start...] + more, after: log, piece: piece) == more, "from \(start)")
        }
        #expect(passed(log, after: log, piece: piece) == [])
    }

    @Test("text that is not stored, or does not go on to the end of what is stored, passes", arguments: [1, 64, 1000])
    func newText(piece: Int) {
        let other = Array("something else that was never stored before, and is long enough to be compared\n".utf8)
        let begun = Array(log[100..<1500])
        for text in [other, begun + other, begun, Array(log.suffix(ReplayFilter.minimumOverlap - 1)) + other] {
            #expect(passed(text, after: log, piece: piece) == text)
        }
        #expect(passed(log, after: [], piece: piece) == log)
        #expect(passed(log, after: Array(log.prefix(10)), piece: piece) == log)
    }

    @Test("a guest that repeats itself is no replay", arguments: [1, 40, 1000])
    func repetition(piece: Int) {
        let line = Array("the same line again and again, with nothing to tell it from the one before\n".utf8)
        let stored = Array(repeatElement(line, count: 100).joined())
        let text = Array(repeatElement(line, count: 20).joined())
        #expect(passed(text, after: log + stored, piece: piece) == text)
        #expect(passed(line, after: log + line, piece: 1000) == [], "once, at the end: that is a replay")
    }

    @Test("two boots that begin alike are told apart by what follows", arguments: [10, 1000])
    func boots(piece: Int) {
        let banner = Array("[    0.000000] Linux version 6.1.0 (build@host) #1 SMP PREEMPT_DYNAMIC\n".utf8)
        let stored = banner + log[..<500] + banner + log[1000..<2000]
        #expect(passed(stored + log[2000...], after: stored, piece: piece) == Array(log[2000...]))
        #expect(passed(banner + log[1000...], after: stored, piece: piece) == Array(log[2000...]))
    }

    @Test("random pieces of a random log: nothing is lost that was not at the end of it, and nothing is invented")
    func random() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            let size = Int.random(in: 0...400, using: &random)
            let stored = (0..<size).map { _ in UInt8.random(in: 97...99, using: &random) }
            let start = Int.random(in: 0...size, using: &random)
            let more = (0..<Int.random(in: 0...50, using: &random)).map { _ in UInt8.random(in: 97...99, using: &random)
            }
            let text = stored[start...] + more
            let result = passed(Array(text), after: stored, piece: Int.random(in: 1...80, using: &random))
            #expect(result == Array(text) || result == more, "\(stored) \(text)")
        }
    }
}
