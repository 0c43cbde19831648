// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TextFormats

/// Decides what happens with the items of a batch by the destination's answers. Without I/O.
///
/// Items are sent in order: what is to be sent again precedes what follows. A request that is too large, or refused, is
/// halved until single records are left; a single one is set aside. A destination that refuses one record after the other
/// is probably not what the configuration says, and is waited for like one that is away; but not because of one VM among
/// others, which could stop the delivery of all.
struct Delivery: Sendable {
    /// What happens next.
    enum Action: Hashable, Sendable {
        case send([Int])
        /// Wait for that many microseconds, then call `resume`.
        case wait(microseconds: Int64)
        /// All items are settled.
        case finish
    }

    /// A record that the destination refused.
    struct Refusal: Hashable, Sendable {
        var item: Int
        var reason: String
    }

    private enum Phase {
        case sending([Int])
        case waiting
        case finished
    }

    /// What is to be sent, in order.
    private var queue: [[Int]] = []
    private var phase = Phase.finished
    private var backoff = Delivery.freshBackoff
    /// Spreads the attempts of many hosts: from 0 to 1.
    private var random = 0.0
    /// The VM of each item, and the number of VMs that are delivered.
    private var owners: [Int] = []
    private var ownerCount = 0
    /// Records refused since one was taken, and their VMs.
    private var refusalsInARow = 0
    private var refusedOwners: Set<Int> = []

    /// The refused records of the present batch.
    private(set) var setAside: [Refusal] = []
    private(set) var counters = OutputCounters()
    /// Why the destination does not take records now; nil when it does.
    private(set) var problem: String?
    /// The latest reason why a record was diverted, dropped or refused.
    private(set) var lastRejection: String?

    /// As many records in a row are refused before the destination itself is doubted.
    private static let mostRefusals = 100

    /// The delays between attempts: 0.25 s, doubled up to 30 s.
    private static var freshBackoff: Backoff {
        Backoff(first: 250_000, doublingLimit: 16_000_000, longest: 30_000_000)
    }

    /// Begins a batch: `owners` has the VM of each item, as a number, and `ownerCount` is the number of VMs.
    mutating func begin(_ owners: [Int], ownerCount: Int) -> Action {
        (self.owners, self.ownerCount) = (owners, ownerCount)
        setAside = []
        queue = owners.isEmpty ? [] : [Array(owners.indices)]
        return next()
    }

    /// The wait has ended.
    mutating func resume() -> Action { next() }

    private mutating func next() -> Action {
        guard let items = queue.first else {
            phase = .finished
            return .finish
        }
        queue.removeFirst()
        phase = .sending(items)
        return .send(items)
    }

    /// The destination has answered the last `send`. `random`, from 0 to 1, spreads the attempts of many hosts.
    mutating func handle(_ result: SendResult, random: Double) -> Action {
        self.random = min(max(random, 0), 1)
        guard case .sending(let sent) = phase else {
            return next()
        }
        switch result {
        case .accepted(let refused, let reason):
            succeed()
            counters.delivered += UInt64(max(0, sent.count - refused))
            counters.dropped += UInt64(max(0, refused))
            lastRejection = reason ?? lastRejection
            return next()
        case .items(let results):
            return handle(results, sent)
        case .tooLarge(let reason):
            return divide(sent, reason)
        case .refused(let reason):
            return divide(sent, reason)
        case .unavailable(let reason, let retryAfter):
            return retry(sent, reason, retryAfter)
        }
    }

    private mutating func handle(_ results: [ItemResult], _ sent: [Int]) -> Action {
        guard results.count == sent.count else {
            return retry(sent, "the destination answered for \(results.count) of \(sent.count) records", nil)
        }
        var again: [Int] = []
        var reason: String?
        for (item, result) in zip(sent, results) {
            switch result {
            case .delivered:
                deliver()
            case .diverted(let reason):
                deliver()
                counters.diverted += 1
                lastRejection = reason
            case .refused(let why) where !isDoubted:
                setAside(item, why)
            case .refused(let why):
                again.append(item)
                reason = reason ?? Self.doubt(why)
            case .retry(let why):
                again.append(item)
                reason = reason ?? why
            }
        }
        guard let reason else {
            return next()
        }
        return retry(again, reason, nil)
    }

    private mutating func divide(_ sent: [Int], _ reason: String) -> Action {
        guard sent.count == 1 else {
            queue.insert(contentsOf: [Array(sent[..<(sent.count / 2)]), Array(sent[(sent.count / 2)...])], at: 0)
            return next()
        }
        guard !isDoubted else {
            return retry(sent, Self.doubt(reason), nil)
        }
        setAside(sent[0], reason)
        return next()
    }

    /// Whether the destination, and not the records, is probably the reason of the refusals.
    private var isDoubted: Bool {
        refusalsInARow >= Self.mostRefusals && (refusedOwners.count > 1 || ownerCount == 1)
    }

    /// The problem with a destination that refuses one record after the other, the last one for `reason`.
    private static func doubt(_ reason: String) -> String { "every record is refused: \(reason)" }

    private mutating func setAside(_ item: Int, _ reason: String) {
        refusalsInARow += 1
        refusedOwners.insert(owners[item])
        setAside.append(Refusal(item: item, reason: reason))
        counters.setAside += 1
        lastRejection = reason
        // The destination answers. Whether it takes records is not known: the backoff goes on.
        problem = nil
    }

    private mutating func deliver() {
        succeed()
        counters.delivered += 1
    }

    private mutating func succeed() {
        refusalsInARow = 0
        refusedOwners = []
        problem = nil
        backoff = Self.freshBackoff
    }

    private mutating func retry(_ items: [Int], _ reason: String, _ retryAfter: Duration?) -> Action {
        queue.insert(items, at: 0)
        phase = .waiting
        problem = reason
        counters.retries += 1
        let own = backoff.nextSpread(random: random)
        // Not before the time that the destination names, and at most a quarter later; but one that asks for no pause is
        // given one in any case.
        let asked = min(retryAfter?.wholeMicroseconds ?? 0, Self.longestAsked)
        return .wait(microseconds: max(own, asked + Int64(Double(asked) * random / 4)))
    }

    /// A destination may ask for any time; after an hour it is tried in any case.
    private static let longestAsked: Int64 = 3_600_000_000
}
