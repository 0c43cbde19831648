// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Reads one stream, from any thread but one at a time, while it is written, sealed and trimmed by others.
///
/// It keeps positions, not files: a vanished file is looked up again, a segment takes precedence over a pair, and
/// damage is returned as a gap. It never returns a byte that is not committed or does not match its checksum.
public final class StreamReader {
    private let ownFiles: StreamFiles
    private let group: ReaderGroup

    var decompressor: Decompressor { group.memory.decompressor }
    private var memory: BlockMemory { group.memory }

    /// A reader of the stream in the folder `path`, one of `group`. With `forbidden` it leaves out files that this user may
    /// not read.
    public init(
        path: String,
        fileSystem: any FileSystem = LinuxFileSystem(),
        group: ReaderGroup = ReaderGroup(),
        forbidden: ForbiddenFiles? = nil
    ) {
        self.group = group
        ownFiles = StreamFiles(layout: StreamLayout(path: path), fileSystem: fileSystem, forbidden: forbidden)
    }

    convenience init(_ layout: StreamLayout, _ fileSystem: any FileSystem) {
        self.init(path: layout.path, fileSystem: fileSystem)
    }

    /// Its files, noted as used.
    var files: StreamFiles {
        group.use(self)
        return ownFiles
    }

    /// Closes its files; they are opened again when they are used.
    func closeFiles() {
        ownFiles.forget()
    }

    public var path: String { ownFiles.layout.path }

    /// The bytes and markers from `cursor` on, at most a block of them; nil when there are none yet.
    public func batch(at cursor: Cursor) throws(SystemError) -> Batch? {
        // Files change concurrently: a lookup that meets a vanished file, a hole or damage is repeated with updated
        // files.
        var isFresh = false
        for _ in 0..<Self.attempts {
            do throws(SystemError) {
                let found = try find(cursor)
                if let batch = found.batch, batch.missing.isEmpty || isFresh {
                    return batch
                }
                if found.batch == nil, isFresh || !found.isDamaged {
                    guard try files.refresh() else {
                        return nil
                    }
                    continue
                }
            } catch {
                guard error.code == SystemError.notFound else {
                    throw error
                }
            }
            files.forget()
            isFresh = true
        }
        return nil
    }

    static let attempts = 8

    private struct Found {
        var batch: Batch?
        var isDamaged = false
    }

    /// The data at the cursor, or after the hole that begins there.
    private func find(_ cursor: Cursor) throws(SystemError) -> Found {
        var found = try lookUp(at: cursor)
        var position = cursor.offset
        while found.batch == nil, let next = try files.nextOffset(after: position) {
            let beyond = try lookUp(at: Cursor(offset: next))
            found.batch = beyond.batch
            found.isDamaged = found.isDamaged || beyond.isDamaged
            position = next
        }
        if position > cursor.offset, let batch = found.batch {
            let isDamaged = found.isDamaged || !files.unreadable.isEmpty
            found.batch?.missing = try missing(from: cursor.offset, before: batch, isDamaged: isDamaged)
        }
        return found
    }

    /// The data at the cursor itself: the markers that end the previous block, else the block with the position.
    private func lookUp(at cursor: Cursor) throws(SystemError) -> Found {
        var found = Found()
        let (ending, holding) = try files.blocks(at: cursor.offset)
        for location in ending where location.trailingMarkers > cursor.markers {
            if let batch = try serve(location, at: cursor, &found.isDamaged) {
                return Found(batch: batch)
            }
        }
        for location in holding {
            if let batch = try serve(location, at: cursor, &found.isDamaged) {
                return Found(batch: batch)
            }
        }
        return found
    }

    /// The data of `location` at the cursor; nil when there is none, or it is damaged.
    private func serve(
        _ location: BlockLocation,
        at cursor: Cursor,
        _ isDamaged: inout Bool
    ) throws(SystemError) -> Batch? {
        do throws(SystemError) {
            return try batch(in: location, at: cursor, &isDamaged)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            files.failed(location, error)
            isDamaged = true
            return nil
        }
    }

    private func batch(
        in location: BlockLocation,
        at cursor: Cursor,
        _ isDamaged: inout Bool
    ) throws(SystemError) -> Batch? {
        switch location {
        case .sealed(let file, let header):
            guard let block = try group.block(header, of: file) else {
                isDamaged = true
                return nil
            }
            guard let first = Self.firstRecord(in: block.records, at: cursor) else {
                return nil
            }
            let start = max(cursor.offset, block.offset)
            let next = Self.cursor(after: block.records, end: block.end)
            return Batch(block: block, firstRecord: first, start: start, next: next)
        case .active(let pair, let range):
            guard let first = Self.firstRecord(in: pair.records[range], at: cursor) else {
                return nil
            }
            guard let block = try pair.block(of: first..<range.upperBound, memory) else {
                isDamaged = true
                return nil
            }
            let start = max(cursor.offset, block.offset)
            let records = pair.records[range.lowerBound..<(first + block.records.count)]
            let next = Self.cursor(after: records, end: block.end)
            return Batch(block: block, firstRecord: 0, start: start, next: next)
        }
    }

    /// The missing ranges between `position` and `batch`; empty when a marker in it records them.
    private func missing(
        from position: UInt64,
        before batch: Batch,
        isDamaged: Bool
    ) throws(SystemError) -> [Batch.Missing] {
        let known = SealedExtents(of: files.layout, on: files.fileSystem)
        let oldest = try files.extents().first { $0.kind != .head }?.base ?? 0
        // When it is unknown what retention removed, bytes missing at the beginning are attributed to it.
        let begin = known?.begin ?? (isDamaged ? 0 : oldest)
        var missing: [Batch.Missing] = []
        if position < begin {
            missing += Self.trimmed(position..<min(begin, batch.start), heads: known?.heads ?? [])
        }
        // A jump begins with a marker that records it.
        let isJump =
            batch.start % StoreLimits.restartStride == 0 && batch.block.offset == batch.start
            && batch.block.records[batch.firstRecord].flags.contains(.gap)
        if batch.start > begin, !isJump, !files.isIncomplete {
            let first = max(position, begin, StoreLimits.lastJump(before: batch.start))
            missing.append(.init(from: first, to: batch.start, reason: .corruption))
        }
        return missing
    }

    /// The parts of a range that retention has trimmed: of it nothing but `heads`, in order, should be there.
    private static func trimmed(_ range: Range<UInt64>, heads: [Range<UInt64>]) -> [Batch.Missing] {
        var missing: [Batch.Missing] = []
        var position = range.lowerBound
        for head in heads where head.upperBound > position && head.lowerBound < range.upperBound {
            let (from, to) = (max(position, head.lowerBound), min(head.upperBound, range.upperBound))
            if position < from {
                missing.append(.init(from: position, to: from, reason: .retention))
            }
            missing.append(.init(from: from, to: to, reason: .corruption))
            position = to
        }
        if position < range.upperBound {
            missing.append(.init(from: position, to: range.upperBound, reason: .retention))
        }
        return missing
    }

    // MARK: - Records and cursors

    /// The index of the first of a block's records after the cursor: a marker at its position, or data beyond it.
    private static func firstRecord<Records: RandomAccessCollection<IndexRecord>>(
        in records: Records,
        at cursor: Cursor
    ) -> Int? where Records.Index == Int {
        var (low, high) = (records.startIndex, records.endIndex)
        while low < high {
            let middle = (low + high) / 2
            let record = records[middle]
            if record.end < cursor.offset || (record.end == cursor.offset && !record.isMarker) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var number = low == records.startIndex ? markersBefore(records) : 0
        while low < records.endIndex, number < cursor.markers, records[low].isMarker,
            records[low].offset == cursor.offset
        {
            low += 1
            number += 1
        }
        return low < records.endIndex ? low : nil
    }

    /// The number, at its position, of a block's first marker: markers that end the previous block count too.
    static func markersBefore(_ records: some Collection<IndexRecord>) -> Int {
        guard let first = records.first, first.isMarker, !first.detail.isEmpty else {
            return 0
        }
        return RecordDetail(decoding: first.detail).markersBefore
    }

    /// The cursor after `records`, which begin with a block's first.
    static func cursor(after records: some BidirectionalCollection<IndexRecord>, end: UInt64) -> Cursor {
        let trailing = records.reversed().prefix { $0.isMarker && $0.offset == end }.count
        return Cursor(offset: end, markers: trailing + (trailing == records.count ? markersBefore(records) : 0))
    }
}
