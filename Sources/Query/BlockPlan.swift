// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// A stream's blocks at the time of the request, and which of them may match a filter.
///
/// No order of blocks' times is assumed. Later writes are beyond the plan and are read in order.
struct BlockPlan {
    /// The blocks, by position; when the filter has a start time, older ones may be omitted.
    let blocks: [BlockSummary]
    /// The clock of the lines' times.
    let clock: StreamProperties.Clock
    /// Whether older blocks may be omitted.
    private let isLimited: Bool
    /// For each block, the latest time in the blocks before it.
    private let latestBefore: [Timestamp]

    /// The plan of `reader`'s stream. With `needsAll`, blocks too old for the filter are listed as well, because times
    /// are compared over the whole stream.
    init(
        _ reader: StreamReader,
        clock: StreamProperties.Clock,
        since: Timestamp = .distantPast,
        needsAll: Bool = false
    ) throws {
        let oldest = needsAll ? Timestamp.distantPast : since
        blocks = try reader.summaries(since: oldest)
        isLimited = oldest > .distantPast
        self.clock = clock
        var latest = Timestamp.distantPast
        latestBefore = blocks.map { block in
            defer { latest = max(latest, Self.times(of: block, clock).upperBound) }
            return latest
        }
    }

    private static func times(of block: BlockSummary, _ clock: StreamProperties.Clock) -> ClosedRange<Timestamp> {
        guard clock == .own, let own = block.ownTime else {
            return block.timeRange
        }
        // Records without a time of their own have the host's.
        return min(own.lowerBound, block.timeRange.lowerBound)...max(own.upperBound, block.timeRange.upperBound)
    }

    /// The times of the lines that may begin in the block at `index`.
    func times(at index: Int) -> ClosedRange<Timestamp> { Self.times(of: blocks[index], clock) }

    var end: UInt64 { blocks.last?.end ?? 0 }

    /// The latest time before the block with `position`.
    func latestTime(before position: UInt64) -> Timestamp {
        let index = firstIndex(endingAfter: position)
        return index < blocks.count ? latestBefore[index] : latestBefore.last.map { max($0, lastTime) } ?? .distantPast
    }

    /// The latest time before `cursor`, which may be inside a block of `reader`'s stream.
    func latestTime(before cursor: Cursor, _ reader: StreamReader) throws -> Timestamp {
        let before = latestTime(before: cursor.offset)
        let index = firstIndex(endingAfter: cursor.offset)
        guard index < blocks.count, (blocks[index].offset, 0) < (cursor.offset, cursor.markers) else {
            return before
        }
        // Unlike text, markers need not be in the order of times.
        let records = try reader.records(of: blocks[index])
        return records.prefix { $0.end <= cursor.offset }.reduce(before) { max($0, time(of: $1)) }
    }

    /// The time of a record's lines.
    func time(of record: IndexRecord) -> Timestamp {
        guard clock == .own, !record.detail.isEmpty, let own = RecordDetail(decoding: record.detail).ownTime else {
            return record.time
        }
        return own.lowerBound
    }

    var lastTime: Timestamp { blocks.isEmpty ? .distantPast : times(at: blocks.count - 1).upperBound }

    /// The end of the stored bytes before `position`: `position` itself, unless the byte before it is not stored. Later
    /// writes, which adjoin, are taken for stored.
    func endOfBytes(before position: UInt64) -> UInt64 {
        guard position > 0, position <= end else {
            return position
        }
        let next = firstIndex(endingAfter: position - 1)
        return next > 0 && blocks[next].offset >= position ? blocks[next - 1].end : position
    }

    /// The first block that ends after `position`; the number of blocks when there is none.
    func firstIndex(endingAfter position: UInt64) -> Int {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].end <= position {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Where to continue after `cursor` without skipping matches: `cursor` itself, or the beginning of a later block.
    func next(after cursor: Cursor, _ filter: LineFilter) -> Cursor {
        // Markers may be at the end of a block that ends here.
        var index = cursor.offset == 0 ? 0 : firstIndex(endingAfter: cursor.offset - 1)
        let first = index
        while index < blocks.count, !filter.overlaps(times(at: index)) {
            index += 1
        }
        // Blocks omitted before the first listed one are too old; other holes are reported by the reader.
        if index == first, index > 0 || !isLimited {
            return cursor
        }
        guard index < blocks.count else {
            return end > cursor.offset ? Cursor(offset: end) : cursor
        }
        let block = blocks[index]
        if block.offset <= cursor.offset {
            return cursor
        }
        let before = index > 0 ? blocks[index - 1].end : block.offset
        return before > cursor.offset ? Cursor(offset: before) : cursor
    }
}
