// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// Puts records into the order of the store: by the store's time, then by stream, then by position; and drops repeats,
/// which have the same id and time. Has no I/O.
struct FleetOrder {
    private let ranks: [FleetStream: Int]
    private var held: [FleetRecord] = []
    private var last: FleetRecord?

    /// Lines of one microsecond of the store leave with the times of the next ones when they are more than a thousand: what
    /// an output has sent of one commit stays within this, in microseconds.
    private static let spread: Int64 = 1000

    init(_ streams: [FleetStream]) {
        ranks = Dictionary(streams.enumerated().map { ($1, $0) }) { first, _ in first }
    }

    /// Adds records; returns, in order, those before which no other can come when everything before `end` was added, in
    /// nanoseconds.
    mutating func add(_ records: [FleetRecord], completeUntil end: Int64) -> [FleetRecord] {
        held += records.filter { ranks[$0.stream] != nil }
        held = held.sorted { key($0) < key($1) }
        let bound = Timestamp(microseconds: end == .max ? .max : end / 1000 - Self.spread)
        let count = held.firstIndex { $0.time >= bound } ?? held.count
        let ready = held.prefix(end == .max ? held.count : count)
        held.removeFirst(ready.count)
        return ready.filter { record in
            defer { last = record }
            return last.map { $0.id != record.id || $0.nanoseconds != record.nanoseconds } ?? true
        }
    }

    private func key(_ record: FleetRecord) -> (Timestamp, Int, Int64, Cursor) {
        (record.time, ranks[record.stream] ?? 0, record.nanoseconds, record.id.place)
    }
}
