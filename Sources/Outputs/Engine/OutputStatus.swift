// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The state of one output, for people and for metrics.
public struct OutputStatus: Sendable {
    enum Activity: String, Sendable {
        /// Everything was sent.
        case idle
        case sending
        /// The destination is away or refuses; it is tried again.
        case waiting
        /// The store cannot be read.
        case failed
    }

    public var name: String
    /// The destination in words, without secrets.
    public var destination: String
    var activity = Activity.idle
    var counters = OutputCounters()
    /// Records that lay in the set-aside files when the daemon started.
    var setAsideBefore: UInt64 = 0
    /// Why records are not sent; nil when they are.
    public var problem: String?
    /// The latest reason for which the destination diverted, dropped or refused records.
    public var lastRejection: String?
    /// When the destination took records last.
    var lastDelivery: Timestamp?
    /// Stored bytes that were not delivered yet; nil when that is unknown.
    public var behind: UInt64?
    /// The file with refused records; nil when there is none.
    var setAsideFile: String?

    init(name: String, destination: String) {
        self.name = name
        self.destination = destination
    }

    /// As JSON, for the API.
    public var json: JSON {
        func number(_ value: UInt64) -> JSON { .integer(Int64(clamping: value)) }
        return .object([
            ("name", .string(name)),
            ("destination", .string(destination)),
            ("state", .string(activity.rawValue)),
            ("delivered", number(counters.delivered)),
            ("bytes", number(counters.bytes)),
            ("behind_bytes", behind.map(number) ?? .null),
            ("retries", number(counters.retries)),
            ("set_aside", number(setAsideBefore + counters.setAside)),
            ("dropped", number(counters.dropped)),
            ("diverted", number(counters.diverted)),
            ("gaps", number(counters.gaps)),
            ("gap_bytes", number(counters.gapBytes)),
            ("problem", problem.map { .string($0) } ?? .null),
            ("complaint", lastRejection.map { .string($0) } ?? .null),
            ("last_delivery", lastDelivery.map { .string($0.description) } ?? .null),
            ("set_aside_file", setAsideFile.map { .string($0) } ?? .null),
        ])
    }
}

extension OutputStatus {
    /// Takes over what the delivery counts; bytes and gaps are counted when a batch is settled.
    mutating func update(from delivery: Delivery) {
        var counters = delivery.counters
        (counters.bytes, counters.gaps, counters.gapBytes) = (
            self.counters.bytes, self.counters.gaps, self.counters.gapBytes
        )
        self.counters = counters
        problem = delivery.problem
        lastRejection = delivery.lastRejection ?? lastRejection
    }
}
