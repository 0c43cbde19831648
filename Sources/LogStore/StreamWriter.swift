// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// Appends to one stream. Owned by one thread, the writer's; the VM's lock is held meanwhile.
///
/// Text is written to the log first, then its record to the index: the second write is the commit. A pair is closed at
/// the end of a block, when it has as many blocks as the stream's pace deserves, and passed to the sealer; the next one
/// is created at the next append.
public final class StreamWriter {
    let layout: StreamLayout
    public let properties: StreamProperties
    let fileSystem: any FileSystem
    var active: ActivePair?
    private var pace: PairPace
    private var lastTime: Timestamp?
    private var endsMidLine: Bool
    private var markersAtEnd: Int
    private var closed: [UInt64]
    private var encoded: [UInt8] = []
    /// The identity of the folder it writes to.
    let folder: FileIdentity?
    /// The position of its first byte.
    var beginning: UInt64
    /// Bytes counted by gap markers since then, and those of them in the active pair: they are lost with the markers.
    var counted: (sinceBeginning: UInt64, inPair: UInt64) = (0, 0)
    /// Monotonic microseconds of the last check for moved files.
    var lastCheck: Int64?

    /// The time of the last record, if it is known without reading sealed blocks.
    public var lastRecordTime: Timestamp? { lastTime }

    public private(set) var nextOffset: UInt64
    private var sourcePosition: SourcePosition
    /// The last committed source position, for replayable streams.
    public var source: [UInt8]? { sourcePosition.value }
    /// Bytes committed after that position, for replayable streams: the begin of what the source sends again.
    public var lengthSinceSource: Int { sourcePosition.length }

    init(
        layout: StreamLayout,
        properties: StreamProperties,
        fileSystem: any FileSystem,
        recovered: RecoveredStream,
        pairTarget: Int
    ) {
        pace = PairPace(limit: pairTarget)
        self.layout = layout
        self.properties = properties
        self.fileSystem = fileSystem
        folder = fileSystem.status(layout.path)?.identity
        nextOffset = recovered.nextOffset
        beginning = recovered.nextOffset
        closed = recovered.closedPairs
        if let pair = recovered.activePair {
            active = ActivePair(
                base: pair.base,
                dataLength: pair.dataLength,
                indexLength: pair.indexLength,
                recordCount: pair.recordCount,
                block: pair.block
            )
        }
        lastTime = recovered.activePair?.lastTime
        endsMidLine = recovered.endsMidLine
        markersAtEnd = recovered.markersAtEnd
        sourcePosition = recovered.source
    }

    public var path: String { layout.path }

    var end: Cursor { Cursor(offset: nextOffset, markers: markersAtEnd) }

    public var activeLength: Int { active?.dataLength ?? 0 }

    public var isOpen: Bool { active?.files != nil }

    /// The bases of pairs closed since the last call, in order; the sealer owns them now.
    public func takeClosedPairs() -> [UInt64] {
        defer { closed.removeAll() }
        return closed
    }

    /// Appends `bytes`, received from `time` on.
    ///
    /// A source position is committed with the last of the bytes. With `isWhole`, the bytes become one index record,
    /// unless they are more than a block or contain more than `StoreLimits.linesPerRecord` lines.
    public func append(
        _ bytes: UnsafeRawBufferPointer,
        time: Timestamp,
        detail: RecordDetail? = nil,
        isWhole: Bool = false
    ) throws(AppendFailure) {
        var committed = 0
        do throws(SystemError) {
            if isWhole, let pair = active, pair.block.length + bytes.count > StoreLimits.blockLimit,
                pair.dataLength + bytes.count > pace.target
            {
                closeFilledPair()
            }
            while committed < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[committed...])
                let piece = try nextPiece(of: rest, at: time, isWhole: isWhole)
                let isLast = piece.count == rest.count
                try commit(piece, time: time, flags: [], detail: isLast ? detail : nil)
                committed += piece.count
                closeFullPair()
            }
        } catch {
            throw AppendFailure(committed: committed, cause: error)
        }
    }

    /// Appends a marker: a gap, a boot's begin or end, another source. `isBeforeText`: the caller appends text next.
    ///
    /// Without a byte between them, `StoreLimits.recordsPerPair` markers are appended; half as many of a gap that lasts,
    /// whose losses the closing one can count; and half as many more directly before text, which would otherwise be
    /// stored without what precedes it. Returns whether the marker was appended: the caller keeps it for later if not.
    @discardableResult
    public func mark(
        _ detail: RecordDetail,
        time: Timestamp,
        isBeforeText: Bool = false
    ) throws(SystemError) -> Bool {
        var flags: RecordFlags = []
        if detail.gap != nil {
            flags.insert(.gap)
        }
        if let boot = detail.boot {
            flags.insert(boot.event.isBeginning ? .boot : .bootEnd)
        }
        if detail.origin != nil {
            flags.insert(.origin)
        }
        try preparePair(for: time)
        let half = StoreLimits.recordsPerPair / 2
        let limit = isBeforeText ? 3 * half : detail.gap?.isClosed == false ? half : 2 * half
        if let pair = active, pair.dataLength == 0, pair.recordCount >= limit {
            return false
        }
        try commit(UnsafeRawBufferPointer(start: nil, count: 0), time: time, flags: flags, detail: detail)
        counted.sinceBeginning = counted.sinceBeginning.addingClamped(detail.gap?.bytes ?? 0)
        counted.inPair = counted.inPair.addingClamped(detail.gap?.bytes ?? 0)
        closeFullPair()
        return true
    }

    /// Closes the active pair, so that it can be sealed. A pair without text stays, because the next would have the
    /// same name; its markers are written again, because a failed sync may have lost them.
    public func roll() {
        guard let pair = active else {
            return
        }
        if pair.dataLength > 0 {
            closed.append(pair.base)
            active = nil
        } else if pair.recordCount > 0 {
            try? rewriteMarkers(of: pair)
        }
    }

    private func rewriteMarkers(of pair: ActivePair) throws(SystemError) {
        let index = try StoredFile(layout.index(pair.base), .update, on: fileSystem)
        try index.write(at: 0, try index.read(at: 0, count: pair.indexLength))
    }

    /// Closes the active pair's files to save descriptors; the next append reopens them.
    public func closeFiles() {
        active?.files = nil
    }

    /// Continues at `offset`, beyond all positions assigned so far, after a gap marker.
    func jump(to offset: UInt64, gap: GapDetail, time: Timestamp) throws(SystemError) {
        roll()
        if let pair = active {
            // Markers without text: nothing will be written at their position any more, so they can stay.
            if pair.recordCount > 0 {
                closed.append(pair.base)
            } else {
                try fileSystem.remove(layout.log(pair.base))
                try fileSystem.remove(layout.index(pair.base))
            }
            active = nil
        }
        nextOffset = offset
        beginning = offset
        // The marker parts what was committed before it from what the source sends again.
        sourcePosition.length = 0
        endsMidLine = false
        markersAtEnd = 0
        try mark(RecordDetail(gap: gap), time: time)
        counted = (0, 0)
    }

    // MARK: - One piece, one record

    /// The part of `rest` that fits into the block: up to the end of a line at `blockTarget`, or `blockLimit` without
    /// one; with `isWhole` all, if a block can have it.
    private func nextPiece(
        of rest: UnsafeRawBufferPointer,
        at time: Timestamp,
        isWhole: Bool
    ) throws(SystemError) -> UnsafeRawBufferPointer {
        try preparePair(for: time)
        var used = active?.block.used(endsMidLine: endsMidLine) ?? 0
        if isWhole, used + rest.count > StoreLimits.blockLimit {
            // It begins a new block.
            used = 0
        }
        var piece = rest
        let isLimited = used + rest.count >= (isWhole ? StoreLimits.blockLimit + 1 : StoreLimits.blockTarget)
        if isLimited {
            let searchFrom = max(0, StoreLimits.blockTarget - used - 1)
            let ceiling = min(rest.count, StoreLimits.blockLimit - used)
            let window = UnsafeRawBufferPointer(rebasing: rest[..<ceiling])
            if let feed = Lines.firstFeed(in: window, from: searchFrom) {
                piece = UnsafeRawBufferPointer(rebasing: rest[...feed])
            } else {
                piece = window
            }
        }
        // A record counts at most 65,535 line feeds; that many bytes cannot have more.
        if piece.count > StoreLimits.linesPerRecord,
            gl_count_byte(piece.baseAddress, piece.count, Lines.feed) > StoreLimits.linesPerRecord
        {
            piece = UnsafeRawBufferPointer(rebasing: piece[..<StoreLimits.linesPerRecord])
        }
        return piece
    }

    private func closeFullPair() {
        guard let pair = active else {
            return
        }
        let isFull = pair.dataLength >= pace.target && pair.block.isFull(endsMidLine: endsMidLine)
        if isFull || pair.recordCount >= StoreLimits.recordsPerPair {
            closeFilledPair()
        }
    }

    private func closeFilledPair() {
        if let first = active?.firstTime, let last = lastTime {
            pace.filled(from: first, to: last)
        }
        roll()
    }

    /// Opens the active pair, or creates the next one; after a failure or a step of the clock, a new one.
    private func preparePair(for time: Timestamp) throws(SystemError) {
        let isClockBack = lastTime.map { $0.microseconds - time.microseconds > StoreLimits.clockTolerance } ?? false
        if let pair = active, pair.dataLength > 0, isClockBack || pair.hasFailed {
            roll()
        }
        // A new pair is cut too: a log without an index may remain from a crash.
        if active == nil {
            counted.inPair = 0
        }
        var pair = active ?? ActivePair(base: nextOffset, hasFailed: true)
        try pair.open(layout, on: fileSystem)
        active = pair
    }

    /// Writes `piece`, then its record. When either write fails, its bytes are cut and nothing is committed.
    private func commit(
        _ piece: UnsafeRawBufferPointer,
        time: Timestamp,
        flags given: RecordFlags,
        detail: RecordDetail?
    ) throws(SystemError) {
        guard let pair = active, let files = pair.files else {
            preconditionFailure("preparePair was called")
        }
        var detail = detail
        if pair.recordCount == 0, piece.isEmpty, markersAtEnd > 0 {
            detail?.markersBefore = markersAtEnd
        }
        let record = record(of: piece, time: time, flags: given, detail: detail)
        encoded.removeAll(keepingCapacity: true)
        record.encode(into: &encoded)
        do throws(SystemError) {
            if !piece.isEmpty {
                try files.log.write(at: pair.dataLength, piece)
            }
            try files.index.write(at: pair.indexLength, encoded)
        } catch {
            // The caller will give these bytes again or count them as lost: recovery must not find them too.
            try? files.index.truncate(to: pair.indexLength)
            try? files.log.truncate(to: pair.dataLength)
            active?.hasFailed = true
            throw error
        }
        active?.accept(record, encodedSize: encoded.count)
        nextOffset += UInt64(piece.count)
        lastTime = record.time
        sourcePosition.accept(detail, length: piece.count)
        if let last = piece.last {
            endsMidLine = last != Lines.feed
            markersAtEnd = 0
        } else {
            markersAtEnd += 1
        }
    }

    private func record(
        of piece: UnsafeRawBufferPointer,
        time: Timestamp,
        flags given: RecordFlags,
        detail: RecordDetail?
    ) -> IndexRecord {
        var flags = given
        var stamp = time
        if let last = lastTime, time < last {
            if last.microseconds - time.microseconds > StoreLimits.clockTolerance {
                flags.insert(.clockStepped)
            } else {
                stamp = last
            }
        }
        if endsMidLine, !piece.isEmpty {
            flags.insert(.startsMidLine)
        }
        if detail?.source != nil {
            flags.insert(.checkpoint)
        }
        return IndexRecord(
            offset: nextOffset,
            time: stamp,
            length: UInt32(piece.count),
            flags: flags,
            lines: UInt16(gl_count_byte(piece.baseAddress, piece.count, Lines.feed)),
            checksum: gl_crc32c(0, piece.baseAddress, piece.count),
            detail: detail?.encoded ?? []
        )
    }
}
