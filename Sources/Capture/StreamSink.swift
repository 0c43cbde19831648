import CLinux
import LogModel
import LogStore
import RotatingFile
import SystemIO

/// One stream at the store's end of the ring: what waits to be committed, and where to. Lives on the writer's thread.
final class StreamSink {
    let key: StreamKey
    /// The stream in the store; nil until its VM could be opened.
    private(set) var id: StreamID?
    var statistics: StreamStatistics?
    private(set) var writer: StreamWriter?
    private var plainFile: RotatingFileWriter?
    private var detector = BootDetector()
    private var pending: [InflightRing.Entry] = []
    private(set) var pendingBytes = 0
    /// Monotonic time when the oldest waiting entry was taken up.
    private(set) var pendingSince: Int64 = 0
    /// Monotonic time of the last commit, or of the opening.
    private(set) var lastCommit: Int64 = 0
    private let opener: any SinkOpening
    private var options: StreamOptions
    /// When to try again after a failure; nil while all is well.
    private(set) var retryAt: Int64?
    private var lossOpened: Int64?
    /// Monotonic time of the last marker of a loss that still lasts.
    private var lossTold: Int64?
    private var plainProblem = false
    /// Where what is lost is counted, so that the count outlives the process.
    private var place: (ring: InflightRing, slot: Int)?
    /// Slots of the rings that stand for the stream: while it has none, it has no source.
    var openSlots = 0

    /// How long after a failed write the next is tried, in microseconds.
    static let retryInterval: Int64 = 1_000_000
    /// Entries gathered into one commit.
    private static let gatherLimit = 64 << 10

    init(key: StreamKey, options: StreamOptions, opener: any SinkOpening) {
        self.key = key
        self.options = options
        self.opener = opener
        configure(options)
    }

    /// The sink of what the same source says after its VM was deleted.
    convenience init(following other: StreamSink) {
        self.init(key: other.key, options: other.options, opener: other.opener)
        statistics = other.statistics
        openSlots = other.openSlots
    }

    /// Takes new options for a stream that is opened again.
    func configure(_ options: StreamOptions) {
        self.options = options
        plainFile = options.plainFile.map { RotatingFileWriter(path: $0.path, limits: $0.limits, mode: $0.mode) }
    }

    var hasPending: Bool { !pending.isEmpty }

    /// Puts an entry behind those that wait.
    func enqueue(_ entry: InflightRing.Entry, ring: InflightRing, at now: Int64) {
        if pending.isEmpty {
            pendingSince = now
        }
        count(in: ring, slot: entry.slot)
        pending.append(entry)
        pendingBytes += entry.payload.count
    }

    /// Commits everything that waits, or counts it as lost; afterwards nothing waits.
    ///
    /// `scratch` is memory to gather small entries in.
    func flush(_ scratch: UnsafeMutableRawBufferPointer, at now: Int64) {
        lastCommit = now
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
            commit(place..<end, bytes: bytes, scratch, at: now)
            place = end
        }
        pending.removeAll(keepingCapacity: true)
        pendingBytes = 0
    }

    private func finish(_ entry: InflightRing.Entry) {
        entry.state = .done
        if entry.kind == .data {
            place?.ring.removeHeld(entry.slot, entry.payload.count)
        }
    }

    // MARK: - Data

    private func commit(_ range: Range<Int>, bytes: Int, _ scratch: UnsafeMutableRawBufferPointer, at now: Int64) {
        let first = pending[range.lowerBound]
        var text = first.payload
        if range.count > 1 {
            var at = 0
            for entry in pending[range] {
                (scratch.baseAddress! + at).copyMemory(from: entry.payload.baseAddress!, byteCount: entry.payload.count)
                at += entry.payload.count
            }
            text = UnsafeRawBufferPointer(rebasing: scratch[..<bytes])
        }
        if isReady(at: now) {
            let alreadyThere = assign(range)
            store(UnsafeRawBufferPointer(rebasing: text[min(alreadyThere, bytes)...]), time: first.time, at: now)
        } else {
            lose(text, at: first.time, now: now)
        }
        writePlain(text)
        for entry in pending[range] {
            finish(entry)
        }
    }

    /// Decides the stream offset of each entry, so that a new process can tell whether it was committed. Returns how
    /// many of the bytes are there already, written by a process that died before it could say so.
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

    private func mark(_ detail: RecordDetail, _ time: Timestamp, _ now: Int64) {
        guard retryAt == nil, let writer else {
            return
        }
        do throws(SystemError) {
            try writer.mark(detail, time: time)
        } catch {
            fail(error, at: now)
        }
    }

    private func writePlain(_ text: UnsafeRawBufferPointer) {
        guard let plainFile else {
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
        case .data:
            writePlain(entry.payload)
        case .gap where isReady(at: lastCommit):
            mark(RecordDetail(decoding: Array(entry.payload)), Timestamp(microseconds: entry.time), lastCommit)
        case .boot where isReady(at: lastCommit):
            guard let event = entry.payload.first.flatMap(BootEvent.init), let writer else {
                return
            }
            if event == .powerOn {
                detector.powerOn()
            }
            let boot = BootDetail(event: event, position: writer.nextOffset)
            mark(RecordDetail(boot: boot), Timestamp(microseconds: entry.time), lastCommit)
            if event == .closed {
                writer.roll()
            }
        case .gap:
            // The store cannot be written: the shard's loss becomes part of ours.
            if let gap = RecordDetail(decoding: Array(entry.payload)).gap {
                addLoss(bytes: gap.bytes ?? 0, lines: gap.lines, at: entry.time)
            }
        case .boot, .padding, .open, .close:
            break
        }
    }

    // MARK: - When the store cannot be written

    /// Whether the store takes bytes: opened, and not waiting to be tried again. Tries when it is time.
    private func isReady(at now: Int64) -> Bool {
        if opener.isTight {
            retryAt = now + Self.retryInterval
            tellLoss(at: now)
            return false
        }
        if let retryAt, now < retryAt {
            return false
        }
        if writer == nil {
            do throws(SystemError) {
                let opened = try opener.open(key, options)
                writer = opened.writer
                id = opened.id
                lastCommit = now
                retryAt = nil
            } catch {
                fail(error, at: now)
                return false
            }
        }
        return closeLoss(at: now)
    }

    private func fail(_ error: SystemError, at now: Int64) {
        retryAt = now + Self.retryInterval
        opener.failed(key, error)
    }

    private func lose(_ text: UnsafeRawBufferPointer, at time: Int64, now: Int64) {
        statistics?.drop(text.count)
        let lines = gl_count_byte(text.baseAddress, text.count, Lines.feed)
        addLoss(bytes: UInt64(text.count), lines: UInt64(lines), at: time)
        if opener.isTight {
            tellLoss(at: now)
        }
    }

    /// Counts from now on in that slot; what is counted elsewhere and not told moves there.
    private func count(in ring: InflightRing, slot: Int) {
        defer { place = (ring, slot) }
        guard let old = place, old.ring !== ring || old.slot != slot, lossOpened != nil else {
            return
        }
        // Emptied first: between the two, death of the process loses a count, never doubles one.
        let loss = old.ring.writerLoss(old.slot)
        old.ring.setWriterLoss(old.slot, InflightRing.Loss())
        ring.setWriterLoss(slot, loss)
    }

    private func addLoss(bytes: UInt64, lines: UInt64, at time: Int64) {
        guard let place else {
            return
        }
        var loss = place.ring.writerLoss(place.slot)
        if lossOpened == nil {
            lossOpened = time
            loss.since = time
            loss.reason = UInt64(GapReason.storeFailure.rawValue)
        }
        loss.bytes += bytes
        loss.lines += lines
        place.ring.setWriterLoss(place.slot, loss)
    }

    /// On a full disk, writes what was lost since the last marker: at once when the loss begins, then every ten
    /// seconds. The reserve has room for that, not for the text.
    private func tellLoss(at now: Int64) {
        guard lossOpened != nil, let place, let writer,
            now - (lossTold ?? .min / 2) >= Shard.gapMarkerInterval
        else {
            return
        }
        let loss = place.ring.writerLoss(place.slot)
        do throws(SystemError) {
            let gap = Self.gap(loss, isClosed: false)
            try writer.mark(RecordDetail(gap: gap), time: Timestamp(microseconds: opener.wallNow))
        } catch {
            // The reserve is used up, or was none: the closing marker will count this too.
            return
        }
        lossTold = now
        place.ring.setWriterLoss(place.slot, InflightRing.Loss(since: loss.since, reason: loss.reason))
    }

    private static func gap(_ loss: InflightRing.Loss, isClosed: Bool) -> GapDetail {
        GapDetail(
            reason: GapReason(rawValue: UInt8(truncatingIfNeeded: loss.reason)) ?? .storeFailure,
            bytes: loss.bytes,
            lines: loss.lines,
            since: Timestamp(microseconds: loss.since),
            isClosed: isClosed
        )
    }

    /// Takes up losses that an earlier process counted and could not write.
    /// Takes up losses that are counted in a slot and that nobody else will tell.
    func adoptLoss(ring: InflightRing, slot: Int) {
        let own = place.map { $0.ring.writerLoss($0.slot) } ?? InflightRing.Loss()
        let isOwn = place.map { $0.ring === ring && $0.slot == slot } ?? false
        if let old = place, !isOwn {
            old.ring.setWriterLoss(old.slot, InflightRing.Loss())
        }
        let parts = [isOwn ? InflightRing.Loss() : own, ring.writerLoss(slot), ring.shardLoss(slot)].filter {
            $0.bytes > 0
        }
        guard let first = parts.first else {
            return
        }
        ring.setShardLoss(slot, InflightRing.Loss())
        let loss = InflightRing.Loss(
            bytes: parts.reduce(0) { $0 + $1.bytes },
            lines: parts.reduce(0) { $0 + $1.lines },
            since: first.since,
            reason: first.reason
        )
        ring.setWriterLoss(slot, loss)
        place = (ring, slot)
        lossOpened = loss.since
    }

    /// Writes the marker of what was lost, if anything was; whether the store takes bytes again.
    @discardableResult
    private func closeLoss(at now: Int64) -> Bool {
        guard lossOpened != nil || retryAt != nil, let writer else {
            retryAt = nil
            return true
        }
        let loss = place.map { $0.ring.writerLoss($0.slot) } ?? InflightRing.Loss()
        do throws(SystemError) {
            if lossOpened != nil {
                let gap = Self.gap(loss, isClosed: true)
                try writer.mark(RecordDetail(gap: gap), time: Timestamp(microseconds: opener.wallNow))
            }
        } catch {
            fail(error, at: now)
            return false
        }
        if let place {
            place.ring.setWriterLoss(place.slot, InflightRing.Loss())
        }
        lossOpened = nil
        lossTold = nil
        retryAt = nil
        opener.recovered(key)
        return true
    }

    /// Tries again what failed, when it is time, though nothing new has come.
    func retry(at now: Int64) {
        if let retryAt, now >= retryAt {
            _ = isReady(at: now)
        }
    }

    /// Writes what is still unsaid before the sink goes.
    func settle(at now: Int64) {
        if lossOpened != nil || writer == nil {
            _ = isReady(at: now)
        }
    }
}

/// What a sink needs of the writer it lives in.
protocol SinkOpening: AnyObject {
    var wallNow: Int64 { get }
    /// Whether the disk is full, and only markers may be written.
    var isTight: Bool { get }
    func open(_ key: StreamKey, _ options: StreamOptions) throws(SystemError) -> OpenedSink
    func failed(_ key: StreamKey, _ error: SystemError)
    func recovered(_ key: StreamKey)
    func plainFileFailed(_ path: String, _ error: SystemError)
    func plainFileRecovered(_ path: String)
}

/// A stream, opened.
struct OpenedSink {
    var writer: StreamWriter
    var id: StreamID
}
