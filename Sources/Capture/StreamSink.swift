// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import LogStore
import RotatingFile
import SystemIO

/// The writer's side of one stream: entries that wait to be committed, and their destination. Lives on the writer's
/// thread.
final class StreamSink: OpenStream {
    let key: StreamKey
    /// The stream in the store; nil until its VM was opened.
    private(set) var id: StreamID?
    var statistics: StreamStatistics?
    private(set) var writer: StreamWriter?
    private var plainFile: RotatingFileWriter?
    private var detector = BootDetector()
    private var pending: [InflightRing.Entry] = []
    private(set) var pendingBytes = 0
    /// Monotonic time when the oldest waiting entry was taken.
    private(set) var pendingSince: Int64 = 0
    private(set) var lastCommit: Int64 = 0
    private unowned let opener: any SinkOpening
    private var options: StreamOptions
    /// When to retry after a failure; nil without one.
    private(set) var retryAt: Int64?
    private var gap = OpenGap(.writer)
    /// Boundaries whose markers could not be written yet.
    private var unwritten = PendingBoundaries()
    /// The slot of the last entry, which stores unwritten losses and boundaries.
    private var slot: (ring: InflightRing, number: Int)?
    private var plainProblem = false
    /// Entries of `pending` before this index are in the plain file.
    private var plainPlace = 0
    /// The number of ring slots of the stream: without any, it has no source.
    var openSlots = 0

    /// The delay of a retry after a failed write, in microseconds.
    static let retryInterval: Int64 = 1_000_000
    /// Maximum number of bytes gathered into one commit.
    private static let gatherLimit = 64 << 10

    init(key: StreamKey, options: StreamOptions, opener: any SinkOpening) {
        self.key = key
        self.options = options
        self.opener = opener
        configure(options)
    }

    func forgetStream() {
        (writer, id, retryAt) = (nil, nil, nil)
        detector = BootDetector()
    }

    /// Sets new options for a stream that is opened again.
    func configure(_ options: StreamOptions) {
        self.options = options
        plainFile = options.plainFile.map { file in
            RotatingFileWriter(
                path: file.path,
                trustedFolder: file.trustedFolder,
                limits: file.limits,
                mode: file.mode
            )
        }
    }

    var isUnused: Bool { openSlots == 0 }
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
    private func move(to ring: InflightRing, slot number: Int) {
        guard slot?.ring !== ring || slot?.number != number else {
            return
        }
        if !unwritten.isEmpty {
            slot?.ring.setWriterBoundaries(slot?.number ?? 0, PendingBoundaries())
            ring.setWriterBoundaries(number, unwritten)
        }
        slot = (ring, number)
    }

    /// Commits the queued entries, or counts them as lost; afterwards the queue is empty.
    ///
    /// `scratch` is a buffer to gather small entries in.
    func flush(_ scratch: UnsafeMutableRawBufferPointer, at now: Int64) {
        lastCommit = now
        writePlain(scratch)
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
                end == place || bytes + pending[end].payload.count <= Self.gatherLimit
            {
                bytes += pending[end].payload.count
                end += 1
            }
            commit(place..<end, scratch, at: now)
            place = end
        }
        pending.removeAll(keepingCapacity: true)
        pendingBytes = 0
        plainPlace = 0
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
        let text = Self.gather(pending[range], scratch)
        if isReady(at: now) {
            let alreadyThere = assign(range)
            store(UnsafeRawBufferPointer(rebasing: text[min(alreadyThere, text.count)...]), time: time, at: now)
        } else {
            lose(text, at: time, now: now)
        }
        for entry in pending[range] {
            finish(entry)
        }
    }

    /// The bytes of `entries`, contiguous: in place when possible, else in `scratch`.
    private static func gather(
        _ entries: some Collection<InflightRing.Entry>,
        _ scratch: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        if entries.count == 1, let only = entries.first {
            return only.payload
        }
        var count = 0
        for entry in entries {
            UnsafeMutableRawBufferPointer(rebasing: scratch[count...]).copyMemory(from: entry.payload)
            count += entry.payload.count
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<count])
    }

    /// Decides the stream offset of each entry, so that a new process can determine whether it was committed. Returns
    /// how many of the bytes were committed by an ended process that had not recorded it.
    private func assign(_ range: Range<Int>) -> Int {
        guard let writer else {
            return 0
        }
        var alreadyThere = 0
        var offset = writer.nextOffset
        for entry in pending[range] {
            if entry.state == .assigned {
                let end = entry.offset + UInt64(entry.payload.count)
                if end <= writer.nextOffset {
                    alreadyThere += entry.payload.count
                    continue
                }
                if entry.offset < writer.nextOffset {
                    alreadyThere += Int(writer.nextOffset - entry.offset)
                    offset = entry.offset + UInt64(entry.payload.count)
                    continue
                }
            }
            entry.offset = offset
            entry.state = .assigned
            offset += UInt64(entry.payload.count)
        }
        return alreadyThere
    }

    private func store(_ text: UnsafeRawBufferPointer, time: Int64, at now: Int64) {
        let stamp = Timestamp(microseconds: time)
        var start = 0
        let findings = detector.scan(text, time: time)
        for finding in findings {
            let place = max(start, finding.place)
            if place > start {
                append(UnsafeRawBufferPointer(rebasing: text[start..<place]), stamp, now)
            }
            if let position = writer?.nextOffset {
                let back = UInt64(max(0, place - finding.place))
                let boot = BootDetail(event: finding.event, position: position - min(position, back))
                mark(RecordDetail(boot: boot), stamp, now)
            }
            start = place
        }
        append(UnsafeRawBufferPointer(rebasing: text[start...]), stamp, now)
    }

    private func append(_ text: UnsafeRawBufferPointer, _ time: Timestamp, _ now: Int64) {
        guard !text.isEmpty else {
            return
        }
        guard retryAt == nil, let writer else {
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
    private func mark(_ detail: RecordDetail, _ time: Timestamp, _ now: Int64) -> Bool {
        guard retryAt == nil, let writer else {
            return false
        }
        do throws(SystemError) {
            try writer.mark(detail, time: time)
            return true
        } catch {
            fail(error, at: now)
            return false
        }
    }

    /// Writes queued entries to the plain file at once, because it may be watched.
    func writePlain(_ scratch: UnsafeMutableRawBufferPointer) {
        guard plainFile != nil else {
            return
        }
        while plainPlace < pending.count {
            var bytes = 0
            let batch = pending[plainPlace...].prefix { entry in
                bytes += entry.payload.count
                return bytes <= Self.gatherLimit
            }
            let due = batch.filter { $0.kind == .data && !$0.isInPlainFile }
            writePlain(text: Self.gather(due, scratch))
            due.forEach { $0.isInPlainFile = true }
            plainPlace = batch.endIndex
        }
    }

    private func writePlain(text: UnsafeRawBufferPointer) {
        guard let plainFile, !text.isEmpty else {
            return
        }
        do throws(SystemError) {
            try plainFile.append(text)
            if plainProblem {
                plainProblem = false
                opener.plainFileRecovered(plainFile.path)
            }
        } catch {
            plainProblem = true
            opener.plainFileFailed(plainFile.path, error)
        }
    }

    // MARK: - Markers

    private func handle(special entry: InflightRing.Entry) {
        switch entry.kind {
        case .gap:
            var detail = RecordDetail(decoding: Array(entry.payload))
            let isReady = isReady(at: lastCommit)
            if detail.gap?.since.microseconds == InflightRing.Loss.unknownSince {
                detail.gap?.since = writer?.lastRecordTime ?? Timestamp(microseconds: entry.time)
            }
            let isThere = isReady && mark(detail, Timestamp(microseconds: entry.time), lastCommit)
            if !isThere, let loss = detail.gap {
                // The store cannot be written: the shard's loss is added to the writer's.
                if let bytes = loss.bytes {
                    gap.count(
                        bytes: Int(clamping: bytes),
                        lines: Int(clamping: loss.lines),
                        at: loss.since.microseconds,
                        reason: .storeFailure
                    )
                } else {
                    keep(.absence(loss.reason))
                }
            }
        case .boot:
            guard let event = entry.payload.first.flatMap(BootEvent.init) else {
                return
            }
            if !isReady(at: lastCommit) || !write(.boot(event), at: entry.time) {
                keep(.boot(event))
            }
        case .data, .padding, .open, .close:
            // Bytes over the rate go to the plain file only.
            break
        }
    }

    /// Writes the marker of a boundary; returns whether that succeeded.
    private func write(_ boundary: ConsoleBoundary, at time: Int64) -> Bool {
        guard let writer else {
            return false
        }
        let stamp = Timestamp(microseconds: time)
        switch boundary {
        case .boot(let event):
            guard mark(RecordDetail(boot: BootDetail(event: event, position: writer.nextOffset)), stamp, lastCommit)
            else {
                return false
            }
            if event == .powerOn {
                detector.powerOn()
            }
            if event == .closed {
                writer.roll()
            }
            return true
        case .absence(let reason):
            let since = writer.lastRecordTime ?? stamp
            let gap = GapDetail(reason: reason, bytes: nil, lines: 0, since: since, isClosed: true)
            return mark(RecordDetail(gap: gap), stamp, lastCommit)
        }
    }

    /// Keeps a boundary whose marker cannot be written now.
    private func keep(_ boundary: ConsoleBoundary) {
        unwritten.append(boundary)
        if let slot {
            slot.ring.setWriterBoundaries(slot.number, unwritten)
        }
    }

    /// Writes the markers of kept boundaries; returns whether none is left.
    private func writePendingBoundaries(at now: Int64) -> Bool {
        while let boundary = unwritten.first {
            guard write(boundary, at: opener.wallNow) else {
                return false
            }
            unwritten.removeFirst()
            if let slot {
                slot.ring.setWriterBoundaries(slot.number, unwritten)
            }
        }
        return true
    }

    // MARK: - Failures of the store

    /// Whether the store accepts bytes: it is open and not waiting for a retry. Retries when it is time.
    private func isReady(at now: Int64) -> Bool {
        if opener.isDiskFull {
            retryAt = now + Self.retryInterval
            writeGapMarker(at: now)
            return false
        }
        if let retryAt, now < retryAt {
            return false
        }
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
                lastCommit = now
            } catch {
                fail(error, at: now)
                return false
            }
        }
        return closeGap(at: now)
    }

    private func fail(_ error: SystemError, at now: Int64) {
        retryAt = now + Self.retryInterval
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
        if let writer, gap.isDue(at: now), (try? write(gap.detail(isClosed: false), writer)) != nil {
            gap.emitted(isClosed: false, at: now)
        }
    }

    private func write(_ marker: GapDetail, _ writer: StreamWriter) throws(SystemError) {
        try writer.mark(RecordDetail(gap: marker), time: Timestamp(microseconds: opener.wallNow))
    }

    /// Adopts the writer's unrecorded losses of an ended process: they precede the entries of that process.
    func adoptWriterMarkers(ring: InflightRing, slot: Int) {
        gap.adopt(.writer, from: ring, slot: slot)
        let left = ring.writerBoundaries(slot)
        ring.setWriterBoundaries(slot, PendingBoundaries())
        keep(left, in: ring, slot)
    }

    /// Adopts the unrecorded losses of a closed shard: they follow its entries.
    func adoptShardMarkers(ring: InflightRing, slot: Int) {
        gap.adopt(.shard, from: ring, slot: slot)
        let left = ring.shardBoundaries(slot)
        ring.setShardBoundaries(slot, PendingBoundaries())
        keep(left, in: ring, slot)
    }

    private func keep(_ left: PendingBoundaries, in ring: InflightRing, _ slot: Int) {
        move(to: ring, slot: slot)
        var left = left
        while let boundary = left.first {
            keep(boundary)
            left.removeFirst()
        }
    }

    /// Writes the marker of losses, if there are any, and those of kept boundaries; returns whether the store accepts
    /// bytes again.
    private func closeGap(at now: Int64) -> Bool {
        if gap.isOpen, let writer {
            do throws(SystemError) {
                try write(gap.detail(isClosed: true), writer)
            } catch {
                fail(error, at: now)
                return false
            }
            gap.emitted(isClosed: true, at: now)
        }
        if retryAt != nil {
            retryAt = nil
            opener.recovered(key)
        }
        return writePendingBoundaries(at: now)
    }

    /// Retries what failed, when it is time, without new entries.
    func retry(at now: Int64) {
        if let retryAt, now >= retryAt {
            _ = isReady(at: now)
        }
    }

    /// Writes what is unrecorded before the sink is released.
    func settle(at now: Int64) {
        if gap.isOpen || writer == nil || !unwritten.isEmpty {
            _ = isReady(at: now)
        }
    }
}
