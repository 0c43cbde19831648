// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// Puts records into the order of the store: by the store's time, then by stream, then by position; and drops repeats,
/// which have the same id and time. Has no I/O.
///
/// A record whose own time is far before that of its storing is read long before its turn, and waits for it. When very
/// many wait, the first of them do not wait longer.
struct FleetOrder {
    private let ranks: [FleetStream: Int]
    private var waiting = MinHeap<RankedRecord>()
    private let limit: Int
    private var last: FleetRecord?

    /// Lines of one microsecond of the store leave with the times of the next ones when they are more than a thousand: what
    /// an output has sent of one commit stays within this, in microseconds.
    private static let spread: Int64 = 1000
    /// Maximum number of records that wait: some 100 MB.
    static let limit = 200_000

    init(_ streams: [FleetStream], limit: Int = FleetOrder.limit) {
        ranks = Dictionary(streams.enumerated().map { ($1, $0) }) { first, _ in first }
        self.limit = limit
    }

    /// Adds records; returns, in order, those before which no other can come when everything before `end` was added, in
    /// nanoseconds.
    mutating func add(_ records: [FleetRecord], completeUntil end: Int64) -> [FleetRecord] {
        for record in records {
            if let rank = ranks[record.stream] {
                waiting.insert(RankedRecord(record: record, rank: rank))
            }
        }
        let bound = Timestamp(microseconds: end == .max ? .max : end / 1000 - Self.spread)
        var ready: [FleetRecord] = []
        while let first = waiting.first?.record, end == .max || first.time < bound || waiting.count > limit {
            waiting.removeFirst()
            if last.map({ $0.id != first.id || $0.nanoseconds != first.nanoseconds }) ?? true {
                ready.append(first)
            }
            last = first
        }
        return ready
    }
}

/// A record, and its stream's rank among the requested ones.
private struct RankedRecord: Comparable {
    let record: FleetRecord
    let rank: Int

    private var key: (Timestamp, Int, Int64, Cursor) { (record.time, rank, record.nanoseconds, record.id.position) }

    static func < (left: RankedRecord, right: RankedRecord) -> Bool { left.key < right.key }
}
