// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import Testing

@testable import Query

@Suite("Waiting")
struct WaitTests {
    /// A wait for a line after 10,000 others, searched in turns that expire at once.
    private func wait(in sample: SampleStore) throws -> PatternWait {
        try sample.add("web")
        let lines = (0..<10_000).map { "line \($0)\n" }.joined() + "login: \n"
        try sample.append(lines)
        return PatternWait(
            store: sample.store,
            vm: "web",
            stream: nil,
            // Without a literal that every match contains, every line is examined.
            pattern: try Pattern("login:|password:"),
            since: .distantPast,
            turn: ReadTurn(microseconds: 0)
        )
    }

    @Test("a search that is interrupted between turns finds its line")
    func interrupted() async throws {
        let sample = try SampleStore()
        let wait = try wait(in: sample)
        let following = Following(FolderObserver(sample.store) { Issue.record("\($0)") })
        #expect(try await following.match(wait, within: nil)?.text == "login: ")
    }

    @Test(
        "a boot that has just announced its end does not answer, though the marker of its end is not written yet",
        arguments: [0, 10]
    )
    func dyingBoot(secondsAgo: Int64) throws {
        let sample = try SampleStore()
        sample.now = Timestamp(microseconds: SystemClock().wallMicroseconds() - secondsAgo * 1_000_000)
        try sample.add("web")
        try sample.boot(.powerOn)
        try sample.append("[    0.000000] Linux version 6.1.0\nweb login: \n[   33.1] reboot: Restarting system\n")
        func found(_ words: String) throws -> Bool {
            let wait = PatternWait(
                store: sample.store,
                vm: "web",
                stream: nil,
                pattern: try Pattern(words),
                since: nil
            )
            return try wait.next() != nil
        }
        // Without a marker after a pause the words were not an announcement.
        #expect(try found("login: ") == (secondsAgo > 0))
        #expect(try found("Restarting system"))
    }

    @Test("the time limit holds during the search of what is stored already")
    func timeLimit() async throws {
        let sample = try SampleStore()
        let wait = try wait(in: sample)
        let following = Following(FolderObserver(sample.store) { Issue.record("\($0)") })
        #expect(try await following.match(wait, within: 1) == nil)
    }
}
