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

/// What is fixed for a stream when it is made; rests in `meta.json`.
public struct StreamProperties: Hashable, Sendable {
    /// How the bytes are to be read.
    public enum Encoding: String, Sendable {
        /// As they came.
        case raw
        /// One record of canonical JSON per line.
        case json
    }

    /// Whose clock the times are from.
    public enum Clock: String, Sendable {
        /// The host's, at receipt.
        case host
        /// The log's own, beside the host's.
        case own
    }

    /// How the bytes are to be read.
    public var encoding: Encoding
    /// Whose clock the times are from.
    public var clock: Clock
    /// Whether the source can be read again from a position, so that bytes without an index record are cut at
    /// recovery rather than kept.
    public var isReplayable: Bool

    /// Properties from their parts; a console's by default.
    public init(encoding: Encoding = .raw, clock: Clock = .host, isReplayable: Bool = false) {
        self.encoding = encoding
        self.clock = clock
        self.isReplayable = isReplayable
    }
}

/// Appends to one stream. Owned by one thread, the writer's; the VM's lock is held meanwhile.
///
/// Text goes to the log first, then its record to the index: that second write is the commit. A pair is closed at
/// 256 KiB, at a line's end, and handed to the sealer; the next is made at the next append.
public final class StreamWriter {
    let layout: StreamLayout
    private let fileSystem: any FileSystem
    private var pair: OpenPair?
    /// The active pair as it stands on disk while its files are closed.
    private var resting: RepairedPair?
    private var lastTime: Timestamp?
    private var endsMidLine = false
    private var closed: [UInt64] = []
    private var encoded: [UInt8] = []

    /// Position of the next byte.
    public private(set) var nextOffset: UInt64
    /// The last source position committed, for replayable streams.
    public private(set) var source: [UInt8]?

    private struct OpenPair {
        let base: UInt64
        let log: StoredFile
        let index: StoredFile
        var dataLength: Int
        var indexLength: Int
        var recordCount: Int
        var hasFailed = false
    }

    /// The bases of pairs that were closed since this was last asked, in order; they are the sealer's now.
    public func takeClosedPairs() -> [UInt64] {
        defer { closed.removeAll() }
        return closed
    }

    init(layout: StreamLayout, fileSystem: any FileSystem, recovered: RecoveredStream) {
        self.layout = layout
        self.fileSystem = fileSystem
        nextOffset = recovered.nextOffset
        closed = recovered.closedPairs
        resting = recovered.activePair
        lastTime = recovered.activePair?.lastTime
        endsMidLine = recovered.endsMidLine
        source = recovered.source
    }

    /// The stream's folder.
    public var path: String { layout.path }

    /// Bytes of text in the active pair.
    public var activeLength: Int { pair?.dataLength ?? resting?.dataLength ?? 0 }

    /// Whether the active pair's files are open.
    public var isOpen: Bool { pair != nil }

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

    /// Appends a marker: a gap, a boot's beginning or end.
    public func mark(_ detail: RecordDetail, time: Timestamp) throws(SystemError) {
        var flags: RecordFlags = []
        if detail.gap != nil {
            flags.insert(.gap)
        }
        if let boot = detail.boot {
            flags.insert(boot.event.rawValue < BootEvent.closed.rawValue ? .boot : .bootEnd)
        }
        try preparePair(for: time)
        try commit(UnsafeRawBufferPointer(start: nil, count: 0), time: time, flags: flags, detail: detail)
        closeFullPair()
    }

    /// Closes the active pair, so that it can be sealed, unless it holds nothing.
    public func roll() {
        if pair == nil, resting == nil {
            return
        }
        let base = pair?.base ?? resting!.base
        let isEmpty = (pair?.recordCount ?? resting!.recordCount) == 0
        pair = nil
        resting = nil
        // Without text the next pair would have the same name: this one is opened again instead.
        if activeTextIsEmpty(base) || isEmpty {
            resting = try? reopenable(base)
            return
        }
        closed.append(base)
    }

    private func activeTextIsEmpty(_ base: UInt64) -> Bool {
        base == nextOffset
    }

    private func reopenable(_ base: UInt64) throws(SystemError) -> RepairedPair {
        try PairRepair(layout: layout, fileSystem: fileSystem, isReplayable: true, hostDied: false)
            .repair(base, limit: nil)
    }

    /// Closes the active pair's files for now, to spare descriptors; the next append opens them again.
    public func closeFiles() {
        guard let open = pair else {
            return
        }
        resting = RepairedPair(
            base: open.base,
            dataLength: open.dataLength,
            indexLength: open.indexLength,
            recordCount: open.recordCount
        )
        pair = nil
    }

    /// Continues at `offset`, which must not lie before the stream's end, leaving a gap of unknown size.
    func jump(to offset: UInt64, reason: GapReason, time: Timestamp) throws(SystemError) {
        let since = lastTime ?? time
        roll()
        resting = nil
        nextOffset = offset
        endsMidLine = false
        let gap = GapDetail(reason: reason, bytes: nil, lines: 0, since: since, isClosed: true)
        try mark(RecordDetail(gap: gap), time: time)
    }

    // MARK: - One piece, one record

    /// The part of `rest` that fits the active pair: up to a line's end at `blockTarget`, or `blockLimit` without one.
    private func nextPiece(
        of rest: UnsafeRawBufferPointer,
        at time: Timestamp
    ) throws(SystemError) -> UnsafeRawBufferPointer {
        try preparePair(for: time)
        let used = pair?.dataLength ?? 0
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
        guard let open = pair else {
            return
        }
        let isFull =
            open.dataLength >= StoreLimits.blockLimit || (open.dataLength >= StoreLimits.blockTarget && !endsMidLine)
        if isFull || (open.recordCount >= StoreLimits.recordsPerBlock && open.dataLength > 0) {
            roll()
        }
    }

    /// Opens the active pair, or makes the next one; after a failure, a new one.
    private func preparePair(for time: Timestamp) throws(SystemError) {
        if let last = lastTime, last.microseconds - time.microseconds > StoreLimits.clockTolerance {
            roll()
        }
        if let open = pair {
            guard open.hasFailed else {
                return
            }
            let base = open.base
            pair = nil
            if base == nextOffset {
                // Nothing of it was committed: begin it again.
                resting = try reopenable(base)
            } else {
                closed.append(base)
            }
        }
        let rested = resting
        let base = rested?.base ?? nextOffset
        let log = try StoredFile(layout.log(base), .create, on: fileSystem)
        let index = try StoredFile(layout.index(base), .create, on: fileSystem)
        pair = OpenPair(
            base: base,
            log: log,
            index: index,
            dataLength: rested?.dataLength ?? 0,
            indexLength: rested?.indexLength ?? 0,
            recordCount: rested?.recordCount ?? 0
        )
        resting = nil
    }

    /// Writes `piece`, then its record. When either write fails, what it left is cut and nothing is committed.
    private func commit(
        _ piece: UnsafeRawBufferPointer,
        time: Timestamp,
        flags given: RecordFlags,
        detail: RecordDetail?
    ) throws(SystemError) {
        guard let open = pair else {
            preconditionFailure("preparePair was called")
        }
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
        let record = IndexRecord(
            offset: nextOffset,
            time: stamp,
            length: UInt32(piece.count),
            flags: flags,
            lines: UInt16(gl_count_byte(piece.baseAddress, piece.count, Lines.feed)),
            checksum: gl_crc32c(0, piece.baseAddress, piece.count),
            detail: detail?.encoded ?? []
        )
        encoded.removeAll(keepingCapacity: true)
        record.encode(into: &encoded)
        do throws(SystemError) {
            if !piece.isEmpty {
                try open.log.write(at: open.dataLength, piece)
            }
            try open.index.write(at: open.indexLength, encoded)
        } catch {
            // The caller will give these bytes again or count them as lost: they must not be found by recovery too.
            try? open.index.truncate(to: open.indexLength)
            try? open.log.truncate(to: open.dataLength)
            pair?.hasFailed = true
            throw error
        }
        pair!.dataLength += piece.count
        pair!.indexLength += encoded.count
        pair!.recordCount += 1
        nextOffset += UInt64(piece.count)
        lastTime = stamp
        if let position = detail?.source {
            source = position
        }
        if let last = piece.last {
            endsMidLine = last != Lines.feed
        }
    }
}
