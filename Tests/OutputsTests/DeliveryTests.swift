// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import Outputs

/// Drives a delivery with the answers that `receive` gives for the items of each request; waits are recorded, not waited.
private func deliver(
    _ count: Int,
    by delivery: inout Delivery,
    of owners: [Int]? = nil,
    random: Double = 0.5,
    limit: Int = 1000,
    _ receive: ([Int]) -> SendResult
) -> (requests: [[Int]], waits: [Int64]) {
    var requests: [[Int]] = []
    var waits: [Int64] = []
    let owners = owners ?? Array(repeating: 0, count: count)
    var action = delivery.begin(owners, ownerCount: Set(owners).count)
    while requests.count < limit {
        switch action {
        case .send(let items):
            requests.append(items)
            action = delivery.handle(receive(items), random: random)
        case .wait(let microseconds):
            waits.append(microseconds)
            action = delivery.resume()
        case .finish:
            return (requests, waits)
        }
    }
    return (requests, waits)
}

@Suite(.blocking) struct DeliveryTests {
    @Test("of a bulk answer with every kind of item only those that may succeed later are sent again")
    func perItem() {
        var delivery = Delivery()
        var answers: [SendResult] = [
            .items([.delivered, .delivered, .retry("429"), .refused("mapper_parsing_exception"), .retry("503")])
        ]
        let result = deliver(5, by: &delivery) { items in
            answers.isEmpty ? .items(items.map { _ in .delivered }) : answers.removeFirst()
        }
        #expect(result.requests == [[0, 1, 2, 3, 4], [2, 4]])
        #expect(delivery.setAside == [Delivery.Refusal(item: 3, reason: "mapper_parsing_exception")])
        #expect(delivery.counters.delivered == 4)
        #expect(delivery.counters.setAside == 1)
    }

    @Test("a request that is too large is halved until each part fits, and a record that never fits is set aside")
    func tooLarge() {
        var delivery = Delivery()
        var taken: [Int] = []
        let result = deliver(8, by: &delivery) { items in
            guard items.count <= 2, !items.contains(5) else {
                return .tooLarge("413")
            }
            taken += items
            return .accepted()
        }
        #expect(taken == [0, 1, 2, 3, 4, 6, 7])
        #expect(delivery.setAside.map(\.item) == [5])
        #expect(result.waits.isEmpty)
    }

    @Test("what is sent again precedes what follows, so that the order is kept")
    func order() {
        var delivery = Delivery()
        var taken: [Int] = []
        var failures = 3
        _ = deliver(6, by: &delivery) { items in
            if items.count > 3 {
                return .tooLarge("413")
            }
            if failures > 0 {
                failures -= 1
                return .unavailable("connection reset")
            }
            taken += items
            return .accepted()
        }
        #expect(taken == [0, 1, 2, 3, 4, 5])
        #expect(delivery.problem == nil)
    }

    @Test("a destination that asks for two seconds is tried after two to two and a half", arguments: [0, 0.3, 1])
    func retryAfter(random: Double) {
        var delivery = Delivery()
        var isFirst = true
        let result = deliver(1, by: &delivery, random: random) { _ in
            defer { isFirst = false }
            return isFirst ? .unavailable("503", retryAfter: .seconds(2)) : .accepted()
        }
        #expect(result.waits.count == 1)
        #expect(result.waits.allSatisfy { (2_000_000...2_500_000).contains($0) })
    }

    @Test(
        "a destination that asks for no pause, or a short one, is tried after the delays of others",
        arguments: [0, 1]
    )
    func retryAfterNothing(milliseconds: Int) {
        var delivery = Delivery()
        let result = deliver(1, by: &delivery, random: 1, limit: 12) { _ in
            .unavailable("503", retryAfter: .milliseconds(milliseconds))
        }
        #expect(result.waits.prefix(3) == [250_000, 500_000, 1_000_000])
        #expect(result.waits.max() == 30_000_000)
    }

    @Test("the delays grow up to 30 s, and begin anew when something was taken")
    func backoff() {
        var delivery = Delivery()
        let away = deliver(1, by: &delivery, random: 1, limit: 12) { _ in .unavailable("away") }
        #expect(away.waits.first == 250_000)
        #expect(away.waits.max() == 30_000_000)
        #expect(delivery.problem == "away")
        _ = deliver(1, by: &delivery) { _ in .accepted() }
        let again = deliver(1, by: &delivery, random: 1, limit: 2) { _ in .unavailable("away") }
        #expect(again.waits.first == 250_000)
    }

    @Test("records that a destination drops without telling which are counted and not sent again")
    func dropped() {
        var delivery = Delivery()
        let result = deliver(10, by: &delivery) { _ in .accepted(refused: 3, reason: "too far behind") }
        #expect(result.requests.count == 1)
        #expect(delivery.counters.delivered == 7)
        #expect(delivery.counters.dropped == 3)
        #expect(delivery.lastRejection == "too far behind")
    }

    @Test("a destination that refuses every record is waited for, and loses few")
    func refusesAll() {
        var delivery = Delivery()
        let result = deliver(1000, by: &delivery, limit: 3000) { _ in .refused("404 page not found") }
        #expect(delivery.setAside.count == 100)
        #expect(!result.waits.isEmpty)
        #expect(delivery.problem?.contains("every record is refused") == true)
    }

    @Test("a destination that refuses every item is waited for too, over batches, and a delivery begins the count anew")
    func refusesAllItems() {
        var delivery = Delivery()
        let few = deliver(60, by: &delivery) { .items($0.map { _ in .refused("400") }) }
        #expect(few.waits.isEmpty)
        let many = deliver(60, by: &delivery, limit: 5) { .items($0.map { _ in .refused("400") }) }
        #expect(delivery.counters.setAside == 100)
        #expect(many.requests.last == Array(40..<60))
        #expect(many.waits.last ?? 0 > many.waits.first ?? 0)
        #expect(delivery.problem == "every record is refused: 400")
        #expect(delivery.counters.delivered == 0)
        _ = deliver(101, by: &delivery) { .items($0.map { $0 == 0 ? .delivered : .refused("400") }) }
        #expect(delivery.counters.setAside == 200)
        #expect(delivery.problem == nil)
    }

    @Test("an answer for another number of records is a failure, not a delivery")
    func wrongCount() {
        var delivery = Delivery()
        let result = deliver(3, by: &delivery, limit: 2) { _ in .items([.delivered]) }
        #expect(result.requests == [[0, 1, 2], [0, 1, 2]])
        #expect(delivery.counters.delivered == 0)
    }

    @Test("a document in the failure store counts as delivered and as diverted, with the reason")
    func diverted() {
        var delivery = Delivery()
        _ = deliver(2, by: &delivery) { _ in .items([.delivered, .diverted("failure store")]) }
        #expect(delivery.counters.delivered == 2)
        #expect(delivery.counters.diverted == 1)
        #expect(delivery.lastRejection == "failure store")
    }

    @Test("one VM whose records are refused does not stop those of others; when several are refused, it waits")
    func oneRefusedVM() {
        var delivery = Delivery()
        let owners = Array(repeating: 0, count: 300) + Array(repeating: 1, count: 10)
        let result = deliver(310, by: &delivery, of: owners) { items in
            .items(items.map { $0 < 300 ? .refused("a conflict of fields") : .delivered })
        }
        #expect(result.requests.count == 1 && result.waits.isEmpty)
        #expect(delivery.counters.setAside == 300 && delivery.counters.delivered == 10)
        let doubted = deliver(310, by: &delivery, of: owners, limit: 3) { items in
            .items(items.map { _ in .refused("no such index") })
        }
        #expect(!doubted.waits.isEmpty && delivery.problem?.contains("every record is refused") == true)
        #expect(delivery.setAside.count == 301)
    }

    @Test("an empty batch needs no request")
    func empty() {
        var delivery = Delivery()
        #expect(delivery.begin([], ownerCount: 0) == .finish)
    }
}

@Suite(.blocking) struct RisingTimeTests {
    @Test("5,000 lines of one microsecond have 5,000 times, rising, and the next microsecond follows them")
    func unique() {
        var time = RisingTime()
        let base: Int64 = 1_700_000_000_000_000_000
        let times = (0..<5000).map { _ in time.next(base) } + [time.next(base + 1000)]
        #expect(Set(times).count == 5001)
        #expect(times == times.sorted())
        #expect(times.first == base && times[4999] == base + 4999)
    }

    @Test("after a restart the times continue")
    func resumed() {
        var time = RisingTime(after: 5007)
        #expect(time.next(5000) == 5008)
    }

    @Test("saved and read after any record, the times are those without a restart", arguments: 0..<20 as Range<UInt64>)
    func resumedAnywhere(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var (whole, restarted) = (RisingTime(), RisingTime())
        for _ in 0..<300 {
            let stored = Int64.random(in: 0..<5, using: &random) * 400_000_000
            let own = Bool.random(using: &random) ? Int64.random(in: -3..<20, using: &random) * 600_000_000 : nil
            restarted = try #require(RisingTime(text: restarted.text))
            #expect(restarted == whole)
            #expect(restarted.next(stored, own: own) == whole.next(stored, own: own))
        }
        for text in ["", "x", "1,", "1,x", "1,2,", "1,-,x", "1,2,3,4,5,6,7,8,9,10,11"] {
            #expect(RisingTime(text: text) == nil, "\(text)")
        }
    }

    @Test("a clock that was set back takes the times with it")
    func setBack() {
        var time = RisingTime()
        _ = time.next(10_000_000_000)
        #expect(time.next(9_500_000_000) == 10_000_000_001)
        #expect(time.next(1_000_000_000) == 1_000_000_000)
    }

    @Test("own times that alternate are times of their own, and each sequence goes on")
    func alternating() {
        var time = RisingTime()
        let (fast, slow): (Int64, Int64) = (7_000_000_000, 2_000_000_000)
        let times = (0..<10_000).map { time.next(9_000_000_000, own: $0 % 2 == 0 ? fast : slow) }
        #expect(Set(times).count == times.count)
        #expect(times.allSatisfy { abs($0 - fast) < 10_000 || abs($0 - slow) < 10_000 })
        // Two programs of which one sends what it has kept.
        #expect(time.next(0, own: fast + 5_000_000_000) == fast + 5_000_000_000)
        #expect(time.next(0, own: slow + 1_000_000) == slow + 1_000_000)
    }

    @Test(
        "no time is given more than a few times, whatever own times a guest states",
        arguments: 0..<20 as Range<UInt64>
    )
    func hostile(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var time = RisingTime()
        var counts: [Int64: Int] = [:]
        for number in 0..<20_000 {
            let second = Int64.random(in: 0..<40, using: &random)
            counts[time.next(1000 * Int64(number), own: second * 700_000_000), default: 0] += 1
        }
        #expect(counts.values.max()! <= RisingTime.sequences + 1)
        var falling = RisingTime()
        let times = (0..<100_000).map { falling.next(Int64($0), own: Int64.max - Int64($0) * 3_000_000_000) }
        #expect(times.suffix(90_000).elementsEqual((10_000..<100_000).map { Int64($0) }))
    }

    @Test("every time is accepted, whatever came before")
    func extremes() {
        var time = RisingTime()
        let present: Int64 = 1_800_000_000_000_000_000
        for next in [present, .min, .min, .max, .max, 0, .max, present, .min + 1] {
            _ = time.next(next)
        }
        #expect(time.last == .min + 1)
    }
}
