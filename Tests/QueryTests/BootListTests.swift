// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite("The list of boots", .blocking)
struct BootListTests {
    /// A VM whose kernel's first line was printed a second time; the boot before it began 60 s earlier.
    private func doubted() throws -> (sample: SampleStore, vm: Store.VM, doubt: Timestamp, position: UInt64) {
        let sample = try SampleStore()
        let vm = try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("one\n")
        try sample.boot(.doubtful)
        let position = try sample.writer().nextOffset
        try sample.append("Linux version\n", after: 60_000_000)
        return (sample, vm, sample.now.advanced(byMicroseconds: -60_000_000), position)
    }

    private func markers(_ sample: SampleStore) throws -> [String] {
        try sample.query(Rendering(format: .text)).text().split(separator: "\n").filter { $0.hasPrefix("-- ") }
            .map(String.init)
    }

    @Test("of very many boots the newest are listed, with their numbers")
    func many() throws {
        let sample = try SampleStore()
        let vm = try sample.add("a")
        let count = 2 * BootList.kept + 7
        for number in 1...count {
            try sample.boot(.firmware)
            try sample.append("\(number)\n", after: 1000)
        }
        let boots = try BootList.boots(of: vm, in: sample.store)
        #expect((BootList.kept...2 * BootList.kept).contains(boots.count))
        #expect(boots.map(\.number) == Array(count - boots.count + 1...count))
        #expect(boots.allSatisfy { $0.bytes == UInt64("\($0.number)\n".utf8.count) })
        for (boot, text) in [(0, count), (-1, count - 1), (count, count), (count - 5, count - 5)] {
            #expect(try sample.query { $0.boot = boot }.text() == "\(text)\n")
        }
        #expect(throws: QueryError.self) { try sample.query { $0.boot = 1 } }
        // Older boots are shown without a number.
        let shown = try markers(sample)
        #expect(shown.count == count)
        #expect(shown.last == "-- boot \(count): reset --")
    }

    @Test("a doubtful beginning is shown as such, and is no boot")
    func doubtful() throws {
        let (sample, vm, _, _) = try doubted()
        try sample.append("two\n")
        #expect(try BootList.boots(of: vm, in: sample.store).map(\.startEvent) == [.powerOn])
        #expect(try markers(sample) == ["-- boot 1: power-on --", "-- boot: doubtful --"])
        #expect(try sample.query { $0.boot = 0 }.text() == "one\nLinux version\ntwo\n")
    }

    @Test("a doubtful beginning that is confirmed is a boot from there on")
    func confirmed() throws {
        let (sample, vm, doubt, position) = try doubted()
        let back = try sample.writer().nextOffset - position
        try sample.boot(.kernel, back: back)
        try sample.append("two\n")
        let boots = try BootList.boots(of: vm, in: sample.store)
        #expect(boots.map(\.startEvent) == [.powerOn, .kernel])
        #expect(boots.last?.start == doubt && boots.last?.position == position)
        #expect(try markers(sample) == ["-- boot 1: power-on --", "-- boot 2: kernel --"])
        #expect(try sample.query { $0.boot = 0 }.text() == "Linux version\ntwo\n")
        #expect(try sample.query { $0.boot = -1 }.text() == "one\n")
    }

    /// A VM whose console was closed in a boot, after `ends` were announced, and what was stored afterwards.
    private func reopened(after ends: [BootEvent] = [], _ body: (SampleStore) throws -> Void) throws -> SampleStore {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("one\n")
        for end in ends + [.closed] {
            try sample.boot(end)
        }
        sample.now = sample.now.advanced(byMicroseconds: 1_000_000)
        try body(sample)
        return sample
    }

    private func lost(_ sample: SampleStore, _ reason: GapReason) throws {
        let gap = GapDetail(reason: reason, bytes: nil, lines: 0, since: sample.now, isClosed: true)
        try sample.mark(RecordDetail(gap: gap))
    }

    @Test("a boot goes on when its console is connected again, with or without a loss")
    func connectedAgain() throws {
        let samples = [
            try reopened { try lost($0, .disconnected) }, try reopened { try lost($0, .daemonAway) },
            try reopened { try $0.append("two\n") },
        ]
        for sample in samples {
            let boots = try BootList.boots(of: sample.vms[0].vm, in: sample.store)
            #expect(boots.map(\.endEvent) == [nil])
            #expect(boots.map(\.end) == [nil])
            #expect(try !markers(sample).contains("-- boot 1 ended: closed --"))
        }
    }

    @Test("a boot whose console was connected again ends when it is closed at last, or when the next one begins")
    func closedAtLast() throws {
        let closed = try reopened { sample in
            try lost(sample, .disconnected)
            try sample.append("two\n")
            try sample.boot(.closed)
            try lost(sample, .rateLimit)
        }
        let ended = try BootList.boots(of: closed.vms[0].vm, in: closed.store)
        #expect(ended.map(\.endEvent) == [.closed] && ended.map(\.end) == [closed.now])
        #expect(try markers(closed).filter { $0.contains("closed") }.count == 1)
        let reset = try reopened { sample in
            try sample.append("two\n")
            try sample.boot(.firmware)
            try sample.append("three\n")
        }
        #expect(try BootList.boots(of: reset.vms[0].vm, in: reset.store).map(\.endEvent) == [nil, nil])
    }

    @Test("an announced end stays one, and the next boot's beginning leaves the closing before it an end")
    func announcedEnd() throws {
        let restarted = try reopened(after: [.restart]) { try lost($0, .disconnected) }
        #expect(try BootList.boots(of: restarted.vms[0].vm, in: restarted.store).map(\.endEvent) == [.restart])
        let next = try reopened { sample in
            try sample.boot(.powerOn)
            try sample.append("two\n")
        }
        #expect(try BootList.boots(of: next.vms[0].vm, in: next.store).map(\.endEvent) == [.closed, nil])
    }

    @Test("a boot whose beginning retention has removed is listed, without how it began")
    func unseenBeginning() throws {
        let sample = try SampleStore(quota: 64 << 10)
        let vm = try sample.add("a")
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<3 {
            // Text that cannot be compressed: the quota counts what is on disk.
            let line = (0..<100_000).map { _ in UInt8.random(in: 0x21...0x7e, using: &generator) } + [Lines.feed]
            try sample.append(line, after: 1_000_000)
            try sample.roll()
            try sample.seal()
            try sample.synchronize()
        }
        try sample.boot(.panic)
        try sample.boot(.powerOn)
        try sample.append("two\n")
        let boots = try BootList.boots(of: vm, in: sample.store)
        #expect(boots.map(\.startEvent) == [nil, .powerOn])
        #expect(boots.map(\.endEvent) == [.panic, nil])
        #expect(boots.map(\.number) == [1, 2])
        #expect(boots[0].position > 0)
        #expect(try markers(sample).suffix(2) == ["-- boot 1 ended: panic --", "-- boot 2: power-on --"])
    }

    @Test("a boot lasts while a process captures it; afterwards it ended with its last output")
    func killed() throws {
        let sample = try SampleStore()
        let vm = try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("one\n", after: 1_000_000)
        #expect(try BootList.boots(of: vm, in: sample.store).last?.end == nil)
        sample.release()
        // Another test's child may have the lock for a moment, until it runs its program.
        #expect(try eventually { try BootList.boots(of: vm, in: sample.store).last?.end == sample.now })
        #expect(try BootList.boots(of: vm, in: sample.store).last?.endEvent == nil)
    }

    // MARK: - Waiting

    /// The line that a wait for `pattern` finds in what is stored.
    private func match(_ pattern: String, in sample: SampleStore) throws -> String? {
        let wait = PatternWait(store: sample.store, vm: "a", stream: nil, pattern: try Pattern(pattern), since: nil)
        return try wait.next()?.text
    }

    @Test("the output of a boot that has announced its end does not answer a wait, its announcement does")
    func waitAfterEnd() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("login: one\n", after: 1_000_000)
        #expect(try match("login:", in: sample) == "login: one")
        let goodbye = "Restarting system.\nmachine restart\n"
        try sample.append(goodbye, after: 1_000_000)
        try sample.boot(.restart, back: UInt64(goodbye.utf8.count))
        #expect(try match("login:", in: sample) == nil)
        #expect(try match("Restarting", in: sample) == "Restarting system.")
        try sample.append("login: two\n", after: 1_000_000)
        #expect(try match("login:", in: sample) == "login: two")
    }

    @Test("once the console is closed, the latest boot answers a wait as a whole")
    func waitAfterClosing() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("tests passed\nPower down.\n", after: 1_000_000)
        try sample.boot(.powerDown, back: 12)
        #expect(try match("passed", in: sample) == nil)
        try sample.boot(.closed)
        #expect(try match("passed", in: sample) == "tests passed")
    }
}
