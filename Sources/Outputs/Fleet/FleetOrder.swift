// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// Puts records into the order of the store: by the store's time, then by stream, then by position; and drops repeats,
/// which have the same id and time. A line that was sent in pieces becomes one record, as it is one line of the store. Has
/// no I/O.
///
/// A record whose own time is far before that of its storing is read long before its turn, and waits for it. When very
/// many wait, the first of them do not wait longer. So does a prompt that is answered after very many other records: the
/// answer is a record of its own then.
struct FleetOrder {
    private let ranks: [FleetStream: Int]
    private var waiting = MinHeap<RankedRecord>()
    private let limit: Int
    private var last: FleetRecord?
    /// What continues a piece, by where it begins, until it is returned.
    private var rests: [Place: FleetRecord] = [:]
    /// The position of the last record of each stream.
    private var newest: [StreamID: Cursor] = [:]

    private struct Place: Hashable {
        var stream: StreamID
        var offset: UInt64
    }

    /// Lines of one microsecond of the store leave with the times of the next ones when they are more than a thousand: what
    /// an output has sent of one commit stays within this, in microseconds.
    private static let spread: Int64 = 1000
    /// Maximum number of records that wait: some 100 MB.
    static let limit = 200_000
    /// Maximum number of records that wait for the rest of a line before them.
    private static let restLimit = 20_000

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
                note(record)
            }
        }
        let bound = Timestamp(microseconds: end == .max ? .max : end / 1000 - Self.spread)
        var ready: [FleetRecord] = []
        while let first = waiting.first?.record, end == .max || first.time < bound || waiting.count > limit {
            guard end == .max || waiting.count > min(limit, Self.restLimit) || !awaitsRest(first) else {
                break
            }
            waiting.removeFirst()
            if last.map({ $0.id != first.id || $0.nanoseconds != first.nanoseconds }) ?? true,
                let whole = whole(first)
            {
                ready.append(whole)
            }
            last = first
        }
        return ready
    }

    private mutating func note(_ record: FleetRecord) {
        newest[record.id.stream] = max(newest[record.id.stream] ?? .start, record.id.position)
        if record.continuesPiece {
            rests[Place(stream: record.id.stream, offset: record.id.position.offset)] = record
        }
    }

    /// Whether the rest of its line may still be added.
    private func awaitsRest(_ record: FleetRecord) -> Bool {
        var record = record
        while let end = record.id.pieceEnd {
            guard let rest = rests[Place(stream: record.id.stream, offset: end)] else {
                return newest[record.id.stream].map { $0 <= record.id.position } ?? true
            }
            record = rest
        }
        return false
    }

    /// The record with the rest of its line; nil for one that was returned as a rest.
    private mutating func whole(_ record: FleetRecord) -> FleetRecord? {
        let place = Place(stream: record.id.stream, offset: record.id.position.offset)
        guard !record.continuesPiece || rests.removeValue(forKey: place) != nil else {
            return nil
        }
        var whole = record
        while let end = whole.id.pieceEnd, whole.fields.isEmpty,
            let rest = rests.removeValue(forKey: Place(stream: whole.id.stream, offset: end))
        {
            whole.append(rest)
        }
        return whole
    }
}

/// A record, and its stream's rank among the requested ones.
private struct RankedRecord: Comparable {
    let record: FleetRecord
    let rank: Int

    private var key: (Timestamp, Int, Int64, Cursor) { (record.time, rank, record.nanoseconds, record.id.position) }

    static func < (left: RankedRecord, right: RankedRecord) -> Bool { left.key < right.key }
}
