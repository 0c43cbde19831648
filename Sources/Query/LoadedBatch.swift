// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// What a line's first record says about the line.
struct LineHead {
    var start: Cursor
    var time: Timestamp
    /// The latest time in the batch up to that record.
    var latest: Timestamp
    var isRecovered: Bool
}

/// A batch with its records, walked forward.
final class LoadedBatch {
    let block: Block
    let start: UInt64
    /// Markers and holes, in order.
    let events: [StreamEvent]
    /// Index in the text after the last byte to be read.
    let stop: Int
    /// Whether a bound, not the batch's end, is there.
    let endsAtBound: Bool

    private let records: [IndexRecord]
    private let plan: BlockPlan
    private let cursor: Cursor
    /// The record of the last position asked for, and the latest time up to it.
    private var record: Int
    private var latestSoFar = Timestamp.distantPast

    init(_ batch: Batch, at cursor: Cursor, bound: Cursor?, _ plan: BlockPlan) {
        block = batch.block
        start = batch.start
        records = batch.block.records
        self.plan = plan
        self.cursor = Cursor(offset: batch.start, markers: batch.start == cursor.offset ? cursor.markers : 0)
        record = batch.firstRecord
        let end = batch.block.end
        stop = Int(min(end, max(batch.start, bound?.offset ?? end)) - batch.block.offset)
        endsAtBound = bound.map { $0.offset < end || ($0.offset == end && $0.markers == 0) } ?? false
        events = Self.events(of: batch, at: self.cursor, records).filter { event in
            bound.map { event.position < $0 } ?? true
        }
        latestSoFar = records.prefix(record + 1).lazy.map { self.time(of: $0) }.max() ?? .distantPast
    }

    var startOffset: Int { Int(start - block.offset) }
    var hasText: Bool { startOffset < block.text.count }

    /// Whether the first byte continues a line.
    var startsMidLine: Bool {
        guard !events.contains(where: { $0.cutsLine && $0.position.offset == start }) else {
            return false
        }
        guard let first = records.dropFirst(record).first(where: { !$0.isMarker }) else {
            return false
        }
        return first.offset < start || first.flags.contains(.startsMidLine)
    }

    private(set) lazy var latest: Timestamp = records.lazy.map { self.time(of: $0) }.max() ?? .distantPast

    /// Whether times do not decrease: true for a block of the host's clock, not always for a boot's head, which may be
    /// made of several blocks, nor after a marker that begins a block.
    private lazy var isSorted =
        plan.clock == .host && zip(records, records.dropFirst()).allSatisfy { $0.time <= $1.time }

    private func time(of record: IndexRecord) -> Timestamp { plan.time(of: record) }

    /// The head of a line that begins at `offset`; must be called in order of positions.
    func lineHead(at offset: Int) -> LineHead {
        let position = block.offset + UInt64(offset)
        walk(to: position)
        return LineHead(
            start: Cursor(offset: position, markers: markers(before: position)),
            time: time(of: records[record]),
            latest: latestSoFar,
            isRecovered: records[record].flags.contains(.recovered)
        )
    }

    /// The heads of a line that begins at `start`, and of the records that begin after it and before `end`.
    func heads(from start: Int, to end: Int) -> [LineHead] {
        var heads = [lineHead(at: start)]
        while let next = records[(record + 1)...].first(where: { !$0.isMarker }),
            next.offset < block.offset + UInt64(end)
        {
            heads.append(lineHead(at: Int(next.offset - block.offset)))
        }
        return heads
    }

    private func walk(to position: UInt64) {
        while record + 1 < records.count, records[record + 1].offset <= position {
            record += 1
            latestSoFar = max(latestSoFar, time(of: records[record]))
        }
    }

    private func markers(before position: UInt64) -> Int {
        var count = position == cursor.offset ? cursor.markers : 0
        for event in events where event.position.offset == position {
            count = max(count, event.next.markers)
        }
        return count
    }

    /// Where lines from `offset` on become selected by time, and whether those before are too old, not too new; nil
    /// when the line at `offset` is selected.
    ///
    /// Where times do not decrease, the position is found by binary search.
    func firstOffset(from offset: Int, _ filter: LineFilter) -> (offset: Int, isOlder: Bool)? {
        guard isSorted else {
            return nil
        }
        let position = block.offset + UInt64(offset)
        walk(to: position)
        let time = records[record].time
        if time > filter.until {
            return (stop, false)
        }
        guard time < filter.since else {
            return nil
        }
        var (low, high) = (record + 1, records.count)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].time < filter.since {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return (low < records.count ? Int(records[low].offset - block.offset) : stop, true)
    }

    // MARK: - Events

    private static func events(of batch: Batch, at start: Cursor, _ records: [IndexRecord]) -> [StreamEvent] {
        var events: [StreamEvent] = []
        for missing in batch.missing {
            let time = records.dropFirst(batch.firstRecord).first?.time ?? .distantPast
            let kind = StreamEvent.Kind.missing(bytes: missing.to - missing.from, reason: missing.reason)
            events.append(StreamEvent(kind: kind, position: start, next: start, time: time))
        }
        guard records.contains(where: \.isMarker) else {
            return events
        }
        var position = start
        for record in records[batch.firstRecord...] where record.isMarker {
            if record.offset != position.offset {
                position = Cursor(offset: record.offset)
            }
            let next = Cursor(offset: position.offset, markers: position.markers + 1)
            defer { position = next }
            let detail = RecordDetail(decoding: record.detail)
            if let gap = detail.gap {
                if let last = events.last, last.next == position, case .gap(let before) = last.kind,
                    before.reason == gap.reason, before.since == gap.since
                {
                    // A long gap is several markers: one event with their sum.
                    events[events.count - 1] = StreamEvent(
                        kind: .gap(before.joined(with: gap)),
                        position: last.position,
                        next: next,
                        time: record.time
                    )
                } else {
                    events.append(StreamEvent(kind: .gap(gap), position: position, next: next, time: record.time))
                }
            } else if let boot = detail.boot {
                events.append(StreamEvent(kind: .boot(boot), position: position, next: next, time: record.time))
            } else if let origin = detail.origin {
                events.append(StreamEvent(kind: .origin(origin), position: position, next: next, time: record.time))
            }
        }
        return events
    }
}
