import CLinux
import LogModel
import SystemIO

/// Bytes that could not be appended, and how many of those given had been.
public struct AppendFailure: Error, Sendable, CustomStringConvertible {
    /// Bytes committed before the failure; the rest is the caller's to drop or to give again.
    public var committed: Int
    /// What went wrong.
    public var cause: SystemError

    public var description: String { cause.description }
}

/// Appends to one stream. Owned by one thread, the writer's; the VM's lock is held meanwhile.
///
/// Text goes to the log first, then its record to the index: that second write is the commit. A pair is closed at
/// 256 KiB, at a line's end, and handed to the sealer; the next is made at the next append.
public final class StreamWriter {
    let layout: StreamLayout
    private let fileSystem: any FileSystem
    private var active: ActivePair?
    private var lastTime: Timestamp?
    private var endsMidLine: Bool
    /// Markers at `nextOffset` so far.
    private var markersAtEnd: Int
    private var closed: [UInt64]
    private var encoded: [UInt8] = []
    /// Which folder it writes to.
    private let folder: FileIdentity?
    /// Where it began to write.
    private var beginning: UInt64
    /// Bytes that gap markers counted since then, and those of them in the active pair: they are lost with the markers.
    private var counted: (sinceBeginning: UInt64, inPair: UInt64) = (0, 0)
    /// Monotonic microseconds of the last look whether the files are where they were.
    private var lastCheck: Int64?

    /// The time of the last record, as far as it is known without reading what is sealed.
    public var lastRecordTime: Timestamp? { lastTime }

    /// Position of the next byte.
    public private(set) var nextOffset: UInt64
    /// The last source position committed, for replayable streams.
    public private(set) var source: [UInt8]?

    /// The pair being written: how much of each file is committed, and the files while they are open.
    private struct ActivePair {
        let base: UInt64
        var dataLength = 0
        var indexLength = 0
        var recordCount = 0
        var files: (log: StoredFile, index: StoredFile)?
        /// Which files they are.
        var identities: [FileIdentity?] = []
        /// Whether a write failed and may have left something beyond what is committed.
        var hasFailed = false
    }

    init(layout: StreamLayout, fileSystem: any FileSystem, recovered: RecoveredStream) {
        self.layout = layout
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
                recordCount: pair.recordCount
            )
        }
        lastTime = recovered.activePair?.lastTime
        endsMidLine = recovered.endsMidLine
        markersAtEnd = recovered.markersAtEnd
        source = recovered.source
    }

    /// The stream's folder.
    public var path: String { layout.path }

    // MARK: - Whether the files are where they were

    /// How often `isInPlace(at:)` looks, in microseconds.
    private static let checkInterval: Int64 = 1_000_000

    /// Whether what is written still goes to the stream's folder: nobody removed or moved the folder, or the active
    /// pair. Looks once a second, by the monotonic clock.
    public func isInPlace(at now: Int64) -> Bool {
        if let lastCheck, now - lastCheck < Self.checkInterval {
            return true
        }
        lastCheck = now
        return isInPlace
    }

    var isInPlace: Bool {
        guard fileSystem.status(layout.path)?.identity == folder else {
            return false
        }
        return active.map { $0.identities.isEmpty || identities(of: $0) == $0.identities } ?? true
    }

    private func identities(of pair: ActivePair) -> [FileIdentity?] {
        [layout.log(pair.base), layout.index(pair.base)].map { fileSystem.status($0)?.identity }
    }

    /// Bytes known to be gone when the stream, opened anew after its files were removed or moved, ends at `position`.
    func lost(whenFoundAt position: UInt64) -> UInt64 {
        let pair = active?.base ?? nextOffset
        let first = min(beginning, pair)
        if (first...nextOffset).contains(position) {
            return nextOffset - position + (position <= pair ? counted.inPair : 0)
        }
        return nextOffset - first + counted.sinceBeginning
    }

    /// The cursor after everything written.
    var end: Cursor { Cursor(offset: nextOffset, markers: markersAtEnd) }

    /// Bytes of text in the active pair.
    public var activeLength: Int { active?.dataLength ?? 0 }

    /// Whether the active pair's files are open.
    public var isOpen: Bool { active?.files != nil }

    /// The bases of pairs that were closed since this was last asked, in order; they are the sealer's now.
    public func takeClosedPairs() -> [UInt64] {
        defer { closed.removeAll() }
        return closed
    }

    /// Appends `bytes`, received from `time` on.
    ///
    /// A source position given with them is committed with the last of them.
    public func append(
        _ bytes: UnsafeRawBufferPointer,
        time: Timestamp,
        detail: RecordDetail? = nil
    ) throws(AppendFailure) {
        var committed = 0
        do throws(SystemError) {
            while committed < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[committed...])
                let piece = try nextPiece(of: rest, at: time)
                let isLast = piece.count == rest.count
                try commit(piece, time: time, flags: [], detail: isLast ? detail : nil)
                committed += piece.count
                closeFullPair()
            }
        } catch {
            throw AppendFailure(committed: committed, cause: error)
        }
    }

    /// Appends a marker: a gap, a boot's beginning or end. After `StoreLimits.recordsPerBlock` markers without a byte
    /// between them further ones are not kept.
    public func mark(_ detail: RecordDetail, time: Timestamp) throws(SystemError) {
        var flags: RecordFlags = []
        if detail.gap != nil {
            flags.insert(.gap)
        }
        if let boot = detail.boot {
            flags.insert(boot.event.isBeginning ? .boot : .bootEnd)
        }
        try preparePair(for: time)
        if let pair = active, pair.dataLength == 0, pair.recordCount >= StoreLimits.recordsPerBlock {
            return
        }
        try commit(UnsafeRawBufferPointer(start: nil, count: 0), time: time, flags: flags, detail: detail)
        counted.sinceBeginning += detail.gap?.bytes ?? 0
        counted.inPair += detail.gap?.bytes ?? 0
        closeFullPair()
    }

    /// Closes the active pair, so that it can be sealed. One without text stays, for the next would have the same name;
    /// its markers are written again, because a sync that failed may have dropped them.
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

    /// Closes the active pair's files for now, to spare descriptors; the next append opens them again.
    public func closeFiles() {
        active?.files = nil
    }

    /// Continues at `offset`, which lies beyond everything ever written, behind a gap marker.
    func jump(to offset: UInt64, gap: GapDetail, time: Timestamp) throws(SystemError) {
        roll()
        if let pair = active {
            // Markers alone: nothing will be written at their position any more, so they can rest.
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
        endsMidLine = false
        markersAtEnd = 0
        try mark(RecordDetail(gap: gap), time: time)
        counted = (0, 0)
    }

    // MARK: - One piece, one record

    /// The part of `rest` that fits the active pair: up to a line's end at `blockTarget`, or `blockLimit` without one.
    private func nextPiece(
        of rest: UnsafeRawBufferPointer,
        at time: Timestamp
    ) throws(SystemError) -> UnsafeRawBufferPointer {
        try preparePair(for: time)
        let used = activeLength
        var piece = rest
        if used + rest.count >= StoreLimits.blockTarget {
            let searchFrom = max(0, StoreLimits.blockTarget - used - 1)
            let ceiling = min(rest.count, StoreLimits.blockLimit - used)
            let window = UnsafeRawBufferPointer(rebasing: rest[..<ceiling])
            if let feed = Lines.firstFeed(in: window, from: searchFrom) {
                piece = UnsafeRawBufferPointer(rebasing: rest[...feed])
            } else {
                piece = window
            }
        }
        // A record counts at most 65,535 line feeds; that many bytes cannot hold more.
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
        let isFull =
            pair.dataLength >= StoreLimits.blockLimit || (pair.dataLength >= StoreLimits.blockTarget && !endsMidLine)
        if isFull || pair.recordCount >= StoreLimits.recordsPerBlock {
            roll()
        }
    }

    /// Opens the active pair, or makes the next one; after a failure or a step of the clock, a new one.
    private func preparePair(for time: Timestamp) throws(SystemError) {
        let isClockBack = lastTime.map { $0.microseconds - time.microseconds > StoreLimits.clockTolerance } ?? false
        if let pair = active, pair.dataLength > 0, isClockBack || pair.hasFailed {
            roll()
        }
        // A new pair is cut too: a log without an index may lie there, the rest of a crash.
        if active == nil {
            counted.inPair = 0
        }
        var pair = active ?? ActivePair(base: nextOffset, hasFailed: true)
        if pair.files == nil {
            // What holds records already must be there.
            let mode: OpenMode = pair.recordCount > 0 ? .update : .create
            pair.files = (
                log: try StoredFile(layout.log(pair.base), mode, on: fileSystem),
                index: try StoredFile(layout.index(pair.base), mode, on: fileSystem)
            )
            pair.identities = identities(of: pair)
        }
        if pair.hasFailed, let files = pair.files {
            try files.index.truncate(to: pair.indexLength)
            try files.log.truncate(to: pair.dataLength)
            pair.hasFailed = false
        }
        active = pair
    }

    /// Writes `piece`, then its record. When either write fails, what it left is cut and nothing is committed.
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
            // The caller will give these bytes again or count them as lost: they must not be found by recovery too.
            try? files.index.truncate(to: pair.indexLength)
            try? files.log.truncate(to: pair.dataLength)
            active?.hasFailed = true
            throw error
        }
        active?.dataLength += piece.count
        active?.indexLength += encoded.count
        active?.recordCount += 1
        nextOffset += UInt64(piece.count)
        lastTime = record.time
        if let position = detail?.source {
            source = position
        }
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
