import LogModel
import SystemIO

/// A place in a stream: a position, and how many of the markers there have been seen. Written `offset.markers`.
public struct Cursor: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Position of the next byte to read.
    public var offset: UInt64
    /// Markers at that position already seen.
    public var markers: Int

    /// The place at `offset` after `markers` of its markers.
    public init(offset: UInt64, markers: Int = 0) {
        self.offset = offset
        self.markers = markers
    }

    /// The stream's very beginning.
    public static let start = Cursor(offset: 0)

    /// The cursor that `text` spells, as `4096.1` or `4096`; nil when it spells none.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let offset = UInt64(parts[0]), let markers = parts.count == 2 ? Int(parts[1]) : 0,
            markers >= 0
        else {
            return nil
        }
        self.init(offset: offset, markers: markers)
    }

    public static func < (left: Cursor, right: Cursor) -> Bool {
        (left.offset, left.markers) < (right.offset, right.markers)
    }

    public var description: String { "\(offset).\(markers)" }
}

/// What a reader finds at a cursor.
public struct Batch {
    /// The bytes and records.
    public var block: Block
    /// The first record to be looked at: the data record that holds the cursor's position, or a marker there.
    public var firstRecord: Int
    /// The first byte to be looked at; lies in the first record.
    public var start: UInt64
    /// Bytes between the cursor and `start` that are no longer, or were never, there.
    public var missing: Missing?
    /// The cursor after all of this.
    public var next: Cursor

    /// A stretch of positions without bytes.
    public struct Missing: Hashable, Sendable {
        /// First position missing.
        public var from: UInt64
        /// First position there again.
        public var to: UInt64
        /// `retention` below the stream's oldest byte, else `corruption`; a jump after a host restart has its own
        /// marker and is not reported here.
        public var reason: GapReason
    }
}

/// Bounds of one block, known without decoding it.
public struct BlockSummary: Hashable, Sendable {
    /// Position of the first byte.
    public var offset: UInt64
    /// Position after the last byte.
    public var end: UInt64
    /// The earliest and latest record.
    public var timeRange: ClosedRange<Timestamp>
    /// What the text itself claims, in streams with a clock of their own.
    public var ownTime: ClosedRange<Timestamp>?
    /// Line feeds.
    public var lines: Int
    /// All records' flags together.
    public var flags: RecordFlags
    /// Length of the compressed frame; 0 in an active pair.
    public var storedLength: Int
}

/// Reads one stream, from any thread but one at a time, while it is written, sealed and trimmed by others.
///
/// Holds positions, not files: what is gone under it is looked up again, where a pair and a segment overlap the segment
/// wins, and damage is served as a gap. Never serves a byte that is not committed.
public final class StreamReader {
    private let layout: StreamLayout
    private let fileSystem: any FileSystem
    private let decompressor = Decompressor()
    private var memory = BlockMemory()
    private var extents: [StreamLayout.Extent]?
    private var segments: [StreamLayout.Extent: SegmentFile] = [:]
    private var pairs: [UInt64: PairFile] = [:]

    /// A reader of the stream in `path`.
    public init(path: String, fileSystem: any FileSystem = LinuxFileSystem()) {
        layout = StreamLayout(path: path)
        self.fileSystem = fileSystem
    }

    /// The stream's folder.
    public var path: String { layout.path }

    /// The bytes and markers from `cursor` on, at most a block of them; nil when there is nothing yet.
    public func batch(at cursor: Cursor) throws(SystemError) -> Batch? {
        // Files come and go: a look that meets a vanished file is taken again over a fresh list.
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                if let batch = try find(cursor) {
                    return batch
                }
                guard try refresh() else {
                    return nil
                }
            } catch {
                guard error.code == SystemError.notFound else {
                    throw error
                }
                try forgetFiles()
            }
        }
        return nil
    }

    private static let attempts = 8

    /// Looks for what came since the last look; whether anything did.
    private func refresh() throws(SystemError) -> Bool {
        let known = extents
        let found = try layout.extents(on: fileSystem)
        extents = found
        if found != known {
            let present = Set(found)
            segments = segments.filter { present.contains($0.key) }
            pairs = pairs.filter { present.contains(.init(base: $0.key, kind: .pair)) }
            return true
        }
        var hasGrown = false
        for pair in pairs.values where try pair.refresh() {
            hasGrown = true
        }
        for segment in segments.values where !segment.isClosed {
            let before = segment.headers.count
            try segment.refresh()
            hasGrown = hasGrown || segment.headers.count > before
        }
        return hasGrown
    }

    private func forgetFiles() throws(SystemError) {
        segments.removeAll()
        pairs.removeAll()
        extents = try layout.extents(on: fileSystem)
    }

    private func listed() throws(SystemError) -> [StreamLayout.Extent] {
        if let extents {
            return extents
        }
        let found = try layout.extents(on: fileSystem)
        extents = found
        return found
    }

    private func segment(_ extent: StreamLayout.Extent) throws(SystemError) -> SegmentFile {
        if let open = segments[extent] {
            return open
        }
        if segments.count >= Self.openSegments, let closed = segments.first(where: { $0.value.isClosed }) {
            segments[closed.key] = nil
        }
        let file = try SegmentFile(path: layout.file(extent), fileSystem: fileSystem)
        segments[extent] = file
        return file
    }

    /// Segments held open by one reader.
    private static let openSegments = 16
    /// Pairs held open by one reader: the active one, and those that wait for the sealer.
    private static let openPairs = 8

    private func pair(_ base: UInt64) throws(SystemError) -> PairFile {
        if let open = pairs[base] {
            return open
        }
        if pairs.count >= Self.openPairs, let oldest = pairs.keys.min() {
            pairs[oldest] = nil
        }
        let file = try PairFile(layout, base: base, fileSystem: fileSystem)
        pairs[base] = file
        return file
    }

    // MARK: - Finding

    private func find(_ cursor: Cursor) throws(SystemError) -> Batch? {
        let extents = try listed()
        let candidates = extents.filter { $0.base <= cursor.offset }
        var isDamaged = false
        for kind in [StreamLayout.Kind.segment, .pair, .head] {
            guard let extent = candidates.last(where: { $0.kind == kind }) else {
                continue
            }
            switch try look(in: extent, for: cursor) {
            case .batch(let batch): return batch
            case .damaged: isDamaged = true
            case .nothing: break
            }
        }
        return try skipAhead(from: cursor, extents, isDamaged: isDamaged)
    }

    private enum Look {
        case batch(Batch)
        case damaged
        case nothing
    }

    private func look(in extent: StreamLayout.Extent, for cursor: Cursor) throws(SystemError) -> Look {
        if extent.kind == .pair {
            let pair = try pair(extent.base)
            // Markers at a pair's first position count from those that end the block before it.
            let before = cursor.offset == pair.base ? try trailingMarkers(endingAt: pair.base) : 0
            return try lookInPair(pair, for: cursor, markersBefore: before)
        }
        let segment = try segment(extent)
        let headers = segment.headers
        guard let place = headers.lastIndex(where: { $0.offset <= cursor.offset }) else {
            return .nothing
        }
        let header = headers[place]
        var seen = cursor.markers
        if header.offset == cursor.offset {
            let before = try trailingMarkers(endingAt: header.offset)
            if seen < before, place > 0 {
                return try serve(headers[place - 1], of: segment, for: cursor, markersSeen: seen)
            }
            seen = max(0, seen - before)
        } else if cursor.offset == header.end, Int(header.trailingMarkers) <= seen {
            return .nothing
        } else if cursor.offset > header.end {
            return .nothing
        }
        return try serve(header, of: segment, for: cursor, markersSeen: seen)
    }

    private func serve(
        _ header: BlockHeader,
        of segment: SegmentFile,
        for cursor: Cursor,
        markersSeen: Int
    ) throws(SystemError) -> Look {
        guard let block = try segment.block(header, decompressor, &memory) else {
            return .damaged
        }
        return Self.batch(in: block, for: cursor, markersSeen: markersSeen).map { .batch($0) } ?? .nothing
    }

    private func lookInPair(
        _ pair: PairFile,
        for cursor: Cursor,
        markersBefore: Int
    ) throws(SystemError) -> Look {
        let seen = max(0, cursor.markers - markersBefore)
        guard
            let first = Self.firstRecord(in: pair.records, for: cursor, markersSeen: seen)
        else {
            return .nothing
        }
        guard let block = try pair.block(from: first, &memory) else {
            return .damaged
        }
        let start = max(cursor.offset, block.offset)
        return .batch(
            Batch(block: block, firstRecord: 0, start: start, next: Self.cursor(after: block, before: markersBefore))
        )
    }

    private static func batch(in block: Block, for cursor: Cursor, markersSeen: Int) -> Batch? {
        guard let first = firstRecord(in: block.records, for: cursor, markersSeen: markersSeen) else {
            return nil
        }
        let start = max(cursor.offset, block.offset)
        return Batch(block: block, firstRecord: first, start: start, next: Self.cursor(after: block, before: 0))
    }

    /// The first record that the cursor has not seen: a marker at its position, or data beyond it.
    private static func firstRecord(in records: [IndexRecord], for cursor: Cursor, markersSeen: Int) -> Int? {
        var (low, high) = (0, records.count)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].end < cursor.offset
                || (records[middle].end == cursor.offset && !records[middle].isMarker)
            {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var toSkip = markersSeen
        while low < records.count, toSkip > 0, records[low].isMarker, records[low].offset == cursor.offset {
            low += 1
            toSkip -= 1
        }
        return low < records.count ? low : nil
    }

    private static func cursor(after block: Block, before: Int) -> Cursor {
        let trailing = block.records.reversed().prefix { $0.isMarker && $0.offset == block.end }.count
        // A block of markers alone stands wholly at one position, after those that end the block before it.
        let isAllMarkers = trailing == block.records.count
        return Cursor(offset: block.end, markers: trailing + (isAllMarkers ? before : 0))
    }

    /// Markers that end the block before `offset`, so that markers at one position are numbered through.
    private func trailingMarkers(endingAt offset: UInt64) throws(SystemError) -> Int {
        let earlier = try listed().filter { $0.base < offset && $0.kind != .head }
        if let extent = earlier.last(where: { $0.kind == .segment }),
            let header = try segment(extent).headers.last(where: { $0.end == offset && $0.offset < offset })
        {
            return Int(header.trailingMarkers)
        }
        if let extent = earlier.last(where: { $0.kind == .pair }) {
            let pair = try pair(extent.base)
            return pair.end == offset ? pair.trailingMarkers : 0
        }
        return 0
    }

    /// The first bytes after a hole that begins at the cursor; nil when nothing follows.
    private func skipAhead(
        from cursor: Cursor,
        _ extents: [StreamLayout.Extent],
        isDamaged: Bool
    ) throws(SystemError) -> Batch? {
        var next: UInt64?
        for extent in extents {
            guard extent.kind != .pair, extent.base <= cursor.offset else {
                if extent.base > cursor.offset {
                    next = min(next ?? .max, extent.base)
                }
                continue
            }
            if let header = try segment(extent).headers.first(where: { $0.offset > cursor.offset }) {
                next = min(next ?? .max, header.offset)
            }
        }
        guard let next, var batch = try find(Cursor(offset: next)) else {
            return nil
        }
        let oldest = extents.first { $0.kind != .head }?.base ?? 0
        // A jump after a host restart begins with a marker that says so.
        let isJump = RecordDetail(decoding: batch.block.records[batch.firstRecord].detail).gap?.reason == .hostRestart
        if !isJump {
            let isTrimmed = !isDamaged && cursor.offset < oldest
            batch.missing = Batch.Missing(
                from: cursor.offset,
                to: batch.start,
                reason: isTrimmed ? .retention : .corruption
            )
        }
        return batch
    }

    // MARK: - Overview

    /// The bounds of all blocks that may hold entries at or after `since`, in order, without decoding any.
    ///
    /// Closed segments whose file is older than `since` are passed over unopened: a segment's modification time is its
    /// latest entry's.
    public func summaries(since: Timestamp = .distantPast) throws(SystemError) -> [BlockSummary] {
        for attempt in 1... {
            do throws(SystemError) {
                return try collectSummaries(since: since)
            } catch {
                guard error.code == SystemError.notFound, attempt < Self.attempts else {
                    throw error
                }
                try forgetFiles()
            }
        }
        return []
    }

    private func collectSummaries(since: Timestamp) throws(SystemError) -> [BlockSummary] {
        _ = try refresh()
        var summaries: [BlockSummary] = []
        var covered: UInt64 = 0
        let extents = try listed()
        for (place, extent) in extents.enumerated() {
            let isLastSegment = !extents[(place + 1)...].contains { $0.kind == .segment }
            if extent.kind == .segment, !isLastSegment, segments[extent] == nil, since > .distantPast,
                let status = fileSystem.status(layout.file(extent)), status.modified < since.microseconds
            {
                continue
            }
            for summary in try self.summaries(of: extent) where summary.offset >= covered {
                summaries.append(summary)
                covered = max(covered, summary.end)
            }
        }
        return summaries
    }

    private func summaries(of extent: StreamLayout.Extent) throws(SystemError) -> [BlockSummary] {
        guard extent.kind == .pair else {
            return try segment(extent).headers.map { header in
                BlockSummary(
                    offset: header.offset,
                    end: header.end,
                    timeRange: header.timeRange,
                    ownTime: header.ownTime,
                    lines: Int(header.lines),
                    flags: header.flags,
                    storedLength: Int(header.frameLength)
                )
            }
        }
        let pair = try pair(extent.base)
        guard !pair.records.isEmpty else {
            return []
        }
        let header = BlockHeader(records: pair.records, base: pair.base, rawLength: pair.committedLength, checksum: 0)
        return [
            BlockSummary(
                offset: header.offset,
                end: header.end,
                timeRange: header.timeRange,
                ownTime: header.ownTime,
                lines: Int(header.lines),
                flags: header.flags,
                storedLength: 0
            )
        ]
    }

    /// The records of the block that begins at `summary.offset`, without its text; empty when it is gone or damaged.
    public func records(of summary: BlockSummary) throws(SystemError) -> [IndexRecord] {
        for extent in try listed().reversed() where extent.base <= summary.offset {
            if extent.kind == .pair {
                if extent.base == summary.offset {
                    return try pair(extent.base).records
                }
                continue
            }
            let segment = try segment(extent)
            if let header = segment.headers.first(where: { $0.offset == summary.offset }) {
                return try segment.records(of: header, decompressor) ?? []
            }
        }
        return []
    }

    /// The cursor after everything committed now.
    public func end() throws(SystemError) -> Cursor {
        _ = try refresh()
        guard let last = try summaries(since: .distantFuture).last else {
            return .start
        }
        let records = try self.records(of: last)
        return Cursor(
            offset: last.end,
            markers: records.reversed().prefix { $0.isMarker && $0.offset == last.end }.count
        )
    }
}

extension SystemError {
    /// ENOENT.
    static let notFound: Int32 = 2
}
