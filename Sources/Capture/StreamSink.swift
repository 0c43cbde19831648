// SPDX-License-Identifier: Apache-2.0

import CBytes
import Glibc
import LogModel
import LogStore
import SystemIO

/// The writer's side of one stream: entries that wait to be committed, and their destination. Lives on the writer's
/// thread.
final class StreamSink: OpenStream {
    let key: StreamKey
    /// The stream in the store; nil until its VM was opened.
    private(set) var id: StreamID?
    var statistics: StreamStatistics?
    private(set) var writer: StreamWriter?
    private var plainFile: PlainFileSink?
    var detector = BootDetector()
    private var pending: [InflightRing.Entry] = []
    private(set) var pendingBytes = 0
    /// Monotonic time when the oldest waiting entry was taken.
    private(set) var pendingSince: Int64 = 0
    var lastCommit: Int64 = 0
    unowned let opener: any SinkOpening
    private(set) var options: StreamOptions
    /// When to retry after a failure; nil without one.
    private var failedUntil: Int64?
    /// When to open the stream again that another process kept from being opened; its entries wait meanwhile.
    private var suspendedUntil: Int64?
    /// While the text of a new connection may be a replay.
    var replay: ReplayWatch? {
        didSet { saveBoundaries() }
    }
    var gap = OpenGap(.writer)
    /// Boundaries whose markers could not be written yet.
    var unwritten = PendingBoundaries() {
        didSet { saveBoundaries() }
    }
    /// The time of the first of them, if it was kept because the stream was silent; microseconds since the Unix epoch.
    var silentSince: Int64?
    /// The boundaries in the slot.
    var saved = PendingBoundaries()
    /// The slot of the last entry, which stores unwritten losses and boundaries.
    var slot: (ring: InflightRing, number: Int)?
    /// Whether the stream has no text and is not in the store yet. Its boots are kept meanwhile.
    var isSilent = false
    /// The number of ring slots of the stream: without any, it has no source.
    var openSlots = 0

    /// The delay of a retry after a failed write, in microseconds.
    static let retryInterval: Int64 = 1_000_000
    /// The delay after which a stream is opened again that another process kept from being opened: it does that for the
    /// time of some syncs.
    static let suspension: Int64 = 50_000

    init(key: StreamKey, options: StreamOptions, opener: any SinkOpening) {
        self.key = key
        self.options = options
        self.opener = opener
        configure(options)
    }

    func forgetStream() {
        (writer, id, failedUntil, suspendedUntil, isSilent) = (nil, nil, nil, nil, false)
        detector = BootDetector()
        saveBoundaries()
    }

    /// Sets new options for a stream that is opened again.
    func configure(_ options: StreamOptions) {
        self.options = options
        plainFile = options.plainFile.map { [unowned opener, key] file in
            PlainFileSink(file, of: key) { opener.closeLater($0) }
        }
    }

    var retryAt: Int64? { suspendedUntil ?? failedUntil ?? replay?.deadline }
    /// Whether entries wait until the stream can be opened.
    private(set) var isSuspended = false
    var isUnused: Bool { openSlots == 0 && !isSilent }
    var hasPending: Bool { !pending.isEmpty }
    var hasPlainFile: Bool { plainFile != nil }

    /// Queues an entry.
    func enqueue(_ entry: InflightRing.Entry, ring: InflightRing, at now: Int64) {
        if pending.isEmpty {
            pendingSince = now
        }
        gap.move(to: ring, slot: entry.slot)
        move(to: ring, slot: entry.slot)
        pending.append(entry)
        pendingBytes += entry.payload.count
    }

    /// Moves unwritten losses and boundaries to another slot.
    func move(to ring: InflightRing, slot number: Int) {
        guard slot?.ring !== ring || slot?.number != number else {
            return
        }
        if !saved.isEmpty {
            slot?.ring.setWriterBoundaries(slot?.number ?? 0, PendingBoundaries())
            ring.setWriterBoundaries(number, saved)
        }
        slot = (ring, number)
    }

    /// Commits the queued entries, or counts them as lost; afterwards the queue is empty, unless the stream cannot be
    /// opened for a moment and the rings have room.
    ///
    /// `scratch` is a buffer to gather small entries in.
    func flush(_ scratch: UnsafeMutableRawBufferPointer, at now: Int64) {
        lastCommit = now
        writePlain(scratch)
        // Boots of a silent stream are kept.
        let needsOpening = writer == nil && pending.contains { !isSilent || $0.kind != .boot }
        isSuspended = needsOpening && !isReady(at: now) && suspendedUntil != nil
        guard !isSuspended else {
            return
        }
        var place = 0
        while place < pending.count {
            let entry = pending[place]
            guard entry.kind == .data, !entry.isPlainOnly else {
                handle(special: entry)
                finish(entry)
                place += 1
                continue
            }
            var end = place
            var bytes = 0
            while end < pending.count, pending[end].kind == .data, !pending[end].isPlainOnly,
                end == place || bytes + pending[end].payload.count <= InflightRing.Entry.gatherLimit
            {
                bytes += pending[end].payload.count
                end += 1
            }
            commit(place..<end, scratch, at: now)
            place = end
        }
        pending.removeAll(keepingCapacity: true)
        pendingBytes = 0
        plainFile?.begin()
    }

    private func finish(_ entry: InflightRing.Entry) {
        entry.state = .done
        if entry.kind == .data {
            slot?.ring.removeHeld(entry.slot, entry.payload.count)
        }
    }

    // MARK: - Data

    private func commit(_ range: Range<Int>, _ scratch: UnsafeMutableRawBufferPointer, at now: Int64) {
        let time = pending[range.lowerBound].time
        let text = InflightRing.Entry.gather(pending[range], scratch)
        if isReady(at: now, forText: true) {
            let known = min(committedBefore(range), text.count)
            let new = UnsafeRawBufferPointer(rebasing: text[known...])
            if let replayed = replayedBytes(of: new, at: now) {
                assign(range, after: known + replayed)
                store(UnsafeRawBufferPointer(rebasing: new[replayed...]), time: time, at: now)
            }
        } else {
            lose(text, at: time, now: now)
        }
        for entry in pending[range] {
            finish(entry)
        }
    }

    /// How many of the entries' bytes an ended process had committed without recording it.
    private func committedBefore(_ range: Range<Int>) -> Int {
        guard let writer else {
            return 0
        }
        var count = 0
        for entry in pending[range] where entry.state == .assigned && entry.offset < writer.nextOffset {
            count += Int(clamping: min(UInt64(entry.payload.count), writer.nextOffset - entry.offset))
        }
        return count
    }

    /// Records the stream offset of each entry, so that the next process can determine whether it was committed: the
    /// first `count` bytes are in the stream already, the others follow its end.
    private func assign(_ range: Range<Int>, after count: Int) {
        guard let writer else {
            return
        }
        var offset = writer.nextOffset - min(writer.nextOffset, UInt64(count))
        for entry in pending[range] {
            entry.offset = offset
            entry.state = .assigned
            offset += UInt64(entry.payload.count)
        }
    }

    func append(_ text: UnsafeRawBufferPointer, _ time: Timestamp, _ now: Int64) {
        guard !text.isEmpty else {
            return
        }
        guard failedUntil == nil, let writer else {
            lose(text, at: time.microseconds, now: now)
            return
        }
        do throws(AppendFailure) {
            try writer.append(text, time: time)
            statistics?.store(text.count)
        } catch {
            statistics?.store(error.committed)
            fail(error.cause, at: now)
            lose(UnsafeRawBufferPointer(rebasing: text[error.committed...]), at: time.microseconds, now: now)
        }
    }

    /// Writes a marker; returns whether that succeeded.
    @discardableResult
    func mark(_ detail: RecordDetail, _ time: Timestamp, _ now: Int64, isBeforeText: Bool = false) -> Bool {
        guard failedUntil == nil, let writer else {
            return false
        }
        do throws(SystemError) {
            return try writer.mark(detail, time: time, isBeforeText: isBeforeText)
        } catch {
            fail(error, at: now)
            return false
        }
    }

    /// Writes queued entries to the plain file at once, because it may be watched.
    func writePlain(_ scratch: UnsafeMutableRawBufferPointer) {
        plainFile?.write(pending, of: slot, scratch, opener)
    }

    /// Begins with the entries of an ended process, of which it may have written some to the plain file without marking
    /// them.
    func resumePlain(_ left: Orphans.UncommittedData) {
        if let (progress, firstEnd) = left.ring.plainAppend(left.slot) {
            plainFile?.begin(with: left.entries, after: progress, firstEnd: firstEnd)
        }
    }

    /// Opens the plain file at its path if another program has replaced or removed the open one.
    func reopenPlainFile() {
        plainFile?.reopen(opener)
    }

    // MARK: - Failures of the store

    /// Whether the store accepts bytes, or a marker if not `forText`: it is open and not waiting for a retry, and all
    /// earlier markers are written. Retries when it is time.
    func isReady(at now: Int64, forText: Bool = false) -> Bool {
        if opener.isDiskFull {
            failedUntil = now + Self.retryInterval
            writeGapMarker(at: now)
            return false
        }
        if let failedUntil, now < failedUntil {
            return false
        }
        if let suspendedUntil, now < suspendedUntil, opener.maySuspend {
            return false
        }
        (suspendedUntil, isSilent) = (nil, false)
        if let writer, !writer.isInPlace(at: now) {
            // The files were removed or moved: they are created again, after a gap.
            fail(SystemError("write (its files were removed or moved)", writer.path, code: ENOENT), at: now)
            self.writer = nil
        }
        if writer == nil {
            do throws(SystemError) {
                let opened = try opener.open(key, options.properties)
                guard opened.writer.properties.encoding == .raw else {
                    let reason = "the stream contains records; use another stream, or remove its log"
                    throw SystemError("store a console in", opened.writer.path, code: EINVAL, reason: reason)
                }
                writer = opened.writer
                id = opened.id
                opener.began(opened.id)
                lastCommit = now
            } catch  where error.code == SystemError.busy && opener.maySuspend {
                suspendedUntil = now + Self.suspension
                return false
            } catch {
                fail(error, at: now)
                return false
            }
        }
        return closeGap(at: now, isBeforeText: forText)
    }

    private func fail(_ error: SystemError, at now: Int64) {
        failedUntil = now + Self.retryInterval
        opener.failed(key, error, consequence: "bytes are counted as lost")
    }

    private func lose(_ text: UnsafeRawBufferPointer, at time: Int64, now: Int64) {
        statistics?.drop(text.count)
        let lines = gl_count_byte(text.baseAddress, text.count, Lines.feed)
        gap.count(bytes: text.count, lines: lines, at: time, reason: .storeFailure)
        if opener.isDiskFull {
            writeGapMarker(at: now)
        }
    }

    /// On a full disk, writes a marker of the losses since the last one. The reserve has room for markers, not for
    /// text; without it the closing marker will count these losses too.
    private func writeGapMarker(at now: Int64) {
        if let writer, gap.isDue(at: now), (try? write(gap.detail(isClosed: false), writer)) == true {
            gap.emitted(isClosed: false, at: now)
        }
    }

    /// Returns false when there are too many markers already: the losses are counted in a later one.
    func write(_ marker: GapDetail, _ writer: StreamWriter, isBeforeText: Bool = false) throws(SystemError) -> Bool {
        let time = Timestamp(microseconds: opener.wallNow)
        return try writer.mark(RecordDetail(gap: marker), time: time, isBeforeText: isBeforeText)
    }

    /// Writes the marker of losses, if there are any, and those of kept boundaries; returns whether the store accepts
    /// bytes again.
    private func closeGap(at now: Int64, isBeforeText: Bool) -> Bool {
        if gap.isOpen, let writer {
            do throws(SystemError) {
                if try write(gap.detail(isClosed: true), writer, isBeforeText: isBeforeText) {
                    gap.emitted(isClosed: true, at: now)
                }
            } catch {
                fail(error, at: now)
                return false
            }
        }
        if failedUntil != nil {
            failedUntil = nil
            opener.recovered(key)
        }
        // Text is stored also where no more markers are.
        return writePendingBoundaries(at: now, isBeforeText: isBeforeText) || isBeforeText && failedUntil == nil
    }

    /// Retries what failed, when it is time, without new entries.
    func retry(at now: Int64) {
        guard let retryAt, now >= retryAt, isReady(at: now) else {
            return
        }
        endReplay(at: now)
    }
}
