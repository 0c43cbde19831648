// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The writer's side of one stream: entries that wait to be committed, and their destination. Lives on the writer's
/// thread.
final class StreamSink: OpenStream {
    let key: StreamKey
    /// The stream in the store; nil until its VM was opened.
    var id: StreamID?
    var statistics: StreamStatistics?
    var writer: StreamWriter?
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
    var failedUntil: Int64?
    /// When to open the stream again that another process kept from being opened; its entries wait meanwhile.
    var suspendedUntil: Int64?
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
        (writer, id, failedUntil, suspendedUntil, isSilent, silentSince) = (nil, nil, nil, nil, false, nil)
        detector = BootDetector()
        saveBoundaries()
    }

    /// Sets new options for a stream that is opened again.
    func configure(_ options: StreamOptions) {
        let missing = options.plainFile?.path == self.options.plainFile?.path ? plainFile?.missing : nil
        self.options = options
        plainFile = options.plainFile.map { [unowned opener, key] file in
            PlainFileSink(file, of: key, missing: missing) { opener.closeLater($0) }
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
        var index = 0
        while index < pending.count {
            let entry = pending[index]
            guard entry.kind == .data, !entry.isPlainOnly else {
                handle(special: entry)
                finish(entry)
                index += 1
                continue
            }
            var end = index
            var bytes = 0
            while end < pending.count, pending[end].kind == .data, !pending[end].isPlainOnly,
                end == index || bytes + pending[end].payload.count <= InflightRing.Entry.gatherLimit
            {
                bytes += pending[end].payload.count
                end += 1
            }
            commit(index..<end, scratch, at: now)
            index = end
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
}
