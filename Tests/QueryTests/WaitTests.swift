// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite("Waiting", .blocking)
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
        let clock = StoppedClock()
        sample.now = Timestamp(microseconds: clock.wallMicroseconds() - secondsAgo * 1_000_000)
        try sample.add("web")
        try sample.boot(.powerOn)
        try sample.append("[    0.000000] Linux version 6.1.0\nweb login: \n[   33.1] reboot: Restarting system\n")
        func found(_ words: String) throws -> Bool {
            let wait = PatternWait(
                store: sample.store,
                vm: "web",
                stream: nil,
                pattern: try Pattern(words),
                since: nil,
                clock: clock
            )
            return try wait.next() != nil
        }
        // Without a marker after a pause the words were not an announcement.
        #expect(try found("login: ") == (secondsAgo > 0))
        #expect(try found("Restarting system"))
    }

    @Test("the VM that takes the name of one that was deleted meanwhile is found")
    func replacedVM() throws {
        let sample = try SampleStore()
        try sample.add("web")
        try sample.append("begins\n")
        let wait = PatternWait(store: sample.store, vm: "web", stream: nil, pattern: try Pattern("login"), since: nil)
        #expect(try wait.next() == nil)
        try sample.vms[0].end(at: sample.now)
        #expect(try wait.next() == nil)
        #expect(throws: QueryError.self) { try wait.withoutMatch() }
        try sample.add("web")
        try sample.append("login: \n", vm: 1)
        #expect(try wait.next()?.text == "login: ")
    }

    @Test("a VM that was deleted and begins again in its folder is found")
    func revivedVM() throws {
        let uuid = "d7a1c4b2-3f60-4f5e-9a51-0c1f2e3d4b5a"
        let sample = try SampleStore()
        try sample.add("web", uuid: uuid)
        try sample.append("begins\n")
        try sample.vms[0].end(at: sample.now)
        sample.release()
        let wait = PatternWait(store: sample.store, vm: "web", stream: nil, pattern: try Pattern("login"), since: nil)
        #expect(try wait.next() == nil)
        #expect(wait.takeNewFolders().contains { !$0.isEmpty }, "its folder is observed")
        try sample.add("web", uuid: uuid)
        try sample.append("login: \n")
        #expect(try wait.next()?.text == "login: ")
    }

    @Test("the time limit holds during the search of what is stored already")
    func timeLimit() async throws {
        let sample = try SampleStore()
        let wait = try wait(in: sample)
        let following = Following(FolderObserver(sample.store) { Issue.record("\($0)") })
        #expect(try await following.match(wait, within: 1) == nil)
    }
}
