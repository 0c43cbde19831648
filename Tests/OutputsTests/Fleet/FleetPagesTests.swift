// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import TestSupport
import Testing

@testable import Outputs

private func record(_ offset: UInt64, _ nanoseconds: Int64, time: Int64? = nil, stream: String = "console0")
    -> FleetRecord
{
    let name = StreamName(stream)!
    return FleetRecord(
        stream: FleetStream(vm: VMIdentity(name: "web"), stream: name),
        id: RecordID(StreamID(vm: "web", stream: name), Cursor(offset: offset)),
        nanoseconds: nanoseconds,
        time: time.map { Timestamp(microseconds: $0) },
        text: Array("line \(offset)".utf8)
    )
}

@Suite struct FleetPagesTests {
    /// Reads everything through pages of `limits` from an engine that shuffles equal times; returns the order of ids.
    private func read(_ records: [FleetRecord], isBackward: Bool, _ limits: FleetLimits, seed: UInt64) throws
        -> [FleetRecord]
    {
        var random = SeededGenerator(seed: seed)
        var pages = FleetPages(0..<1_000_000, isBackward: isBackward, limits)
        var found: [FleetRecord] = []
        while !pages.isDone {
            let (range, limit) = pages.next
            var page = records.filter { range.contains($0.nanoseconds) }.shuffled(using: &random)
            page.sort { isBackward ? $0.nanoseconds > $1.nanoseconds : $0.nanoseconds < $1.nanoseconds }
            let answer = Array(page.prefix(limit))
            found += try pages.accept(FleetPage(records: answer, times: answer.map(\.nanoseconds)))
        }
        return found
    }

    @Test("pages of any size have each record once, in both directions", arguments: [false, true])
    func onceEach(isBackward: Bool) throws {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let records = (0..<100).map { record($0, Int64.random(in: 0..<50, using: &random) * 700) }
            let limits = FleetLimits(
                page: Int.random(in: 1...20, using: &random),
                largestPage: 100,
                longestRange: Int64.random(in: 5_000...2_000_000, using: &random)
            )
            let found = try read(records, isBackward: isBackward, limits, seed: seed)
            #expect(found.map(\.id.position.offset).sorted() == Array(0..<100))
        }
    }

    @Test("a page in which everything has one microsecond is cut at a nanosecond")
    func oneMicrosecond() throws {
        let records = (0..<100 as Range<UInt64>).map { record($0, 5000 + Int64($0)) }
        for isBackward in [false, true] {
            let found = try read(records, isBackward: isBackward, FleetLimits(page: 10, largestPage: 10), seed: 0)
            #expect(found.map(\.id.position.offset).sorted() == Array(0..<100))
        }
    }

    @Test("a page in which everything has one time is asked for again with a larger limit, up to the engine's")
    func stuck() throws {
        let records = (0..<100).map { record($0, 5000) }
        let found = try read(records, isBackward: false, FleetLimits(page: 10, largestPage: 200), seed: 0)
        #expect(found.count == 100)
        #expect(throws: FleetPages.PageLimitReached.self) {
            try read(records, isBackward: false, FleetLimits(page: 10, largestPage: 40), seed: 0)
        }
    }

    @Test("records are put into the order of the store: by its time, by stream, by position")
    func order() {
        let streams = ["console0", "console1"].map { FleetStream(vm: VMIdentity(name: "web"), stream: StreamName($0)!) }
        var order = FleetOrder(streams)
        // Three lines of one microsecond, of which the third had to leave with the time of the next.
        let first = [record(0, 9_000_000), record(1, 9_000_001), record(2, 9_001_000, time: 9000)]
        let other = record(7, 9_000_500, time: 9000, stream: "console1")
        let sorted = order.add(([other] + first.reversed() + [first[1]]), completeUntil: .max)
        #expect(sorted == first + [other])
    }

    @Test("records that were stored long after their own times wait for their turn")
    func late() {
        let stream = FleetStream(vm: VMIdentity(name: "web"), stream: .console0)
        var order = FleetOrder([stream])
        var late: [FleetRecord] = []
        // A hundred pages of the past, of records that were stored at the end.
        for page in 0..<100 as Range<UInt64> {
            let records = (0..<10 as Range<UInt64>).map { page * 10 + $0 }
                .map { record($0, Int64($0) * 1_000_000, time: 9_000_000 - Int64($0)) }
            #expect(order.add(records, completeUntil: records[9].nanoseconds).isEmpty)
            late += records
        }
        let present = record(5000, 5_000_000_000)
        #expect(order.add([present], completeUntil: 6_000_000_000) == [present])
        #expect(order.add([], completeUntil: .max) == late.reversed())
    }

    @Test("of very many records that wait, the first do not wait longer")
    func limited() {
        var order = FleetOrder([FleetStream(vm: VMIdentity(name: "web"), stream: .console0)], limit: 3)
        let records = (0..<5 as Range<UInt64>).map { record($0, Int64($0), time: 9_000_000 + Int64($0)) }
        #expect(order.add(records, completeUntil: 1000) == Array(records[..<2]))
        let early = record(9, 2000)
        #expect(order.add([early], completeUntil: 1_000_000_000) == [early])
        #expect(order.add([], completeUntil: .max) == Array(records[2...]))
    }

    /// A number that counts how often such numbers are compared.
    private struct Counted: Comparable {
        nonisolated(unsafe) static var comparisons = 0
        let number: Int

        static func < (left: Counted, right: Counted) -> Bool {
            comparisons += 1
            return left.number < right.number
        }
    }

    @Test("the least element comes first, of any number in any order, after few comparisons")
    func firstOut() {
        var random = SeededGenerator(seed: 7)
        for count in [0, 1, 2, 3, 10, 1000, 16_000] {
            var elements = MinHeap<Counted>()
            let numbers = (0..<count).map { _ in Int.random(in: 0..<50, using: &random) }
            Counted.comparisons = 0
            numbers.forEach { elements.insert(Counted(number: $0)) }
            var sorted: [Int] = []
            while let first = elements.first {
                sorted.append(first.number)
                elements.removeFirst()
            }
            #expect(Counted.comparisons <= count * 3 * 14)
            #expect(sorted == numbers.sorted() && elements.count == 0)
        }
    }

    @Test("an overlapping read has only what is new, also when it is late")
    func overlap() {
        var overlap = FleetOverlap(from: 0)
        let second: Int64 = 1_000_000_000
        let present = 110 * second
        #expect(overlap.filterNew([record(0, 100 * second), record(1, 101 * second)], at: present).count == 2)
        #expect(overlap.start == 71 * second)
        let late = record(9, 90 * second)
        #expect(overlap.filterNew([record(0, 100 * second), late, record(1, 101 * second)], at: present) == [late])
        #expect(overlap.filterNew([record(2, 102 * second)], at: present).count == 1)
        // Of a guest whose clock is fast.
        let future = record(3, 9000 * second)
        #expect(overlap.filterNew([future], at: present) == [future])
        #expect(overlap.start == present - 30 * second)
        #expect(overlap.filterNew([future, record(4, 103 * second)], at: present).count == 1)
    }

    @Test("an id is read as it is written", arguments: ["web/console0/0", "a.b/console0/4096.1", "%7e/x/7-12"])
    func ids(text: String) throws {
        #expect(try #require(RecordID(text)).description == text)
    }

    @Test(
        "a malformed id is refused",
        arguments: [
            "", "web", "web/console0", "web/console0/", "web/console0/1.0", "web/console0/9-4", "web/Con/1", "a/b/c/1",
            "/b/1",
        ]
    )
    func badIDs(text: String) {
        #expect(RecordID(text) == nil)
    }
}
