// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import SystemIO
import TextFormats

/// The records of one output, read from the store in batches. Used from one thread at a time.
final class RecordSource: @unchecked Sendable {
    // Sendable because its only user awaits each call.

    private let settings: OutputSettings
    private let destination: any OutputDestination
    private let redaction: Redaction
    private let entries: EntrySource
    private let turn = ReadTurn()
    private let known: [StreamID: StreamProgress]
    private var removed: RemovedText
    /// By the index of the stream in `entries`.
    private var origins: [RecordOrigin] = []
    private var times: [RisingTime] = []
    /// By stream, where its last record ends, when the end of its line is missing, and whether it is a piece.
    private var partEnds: [Int: (end: UInt64, isPiece: Bool)] = [:]
    private var streamIndexes: [StreamID: Int] = [:]

    /// Reads `store` from where `progress` ended; streams that it does not name from their beginning. `saved` is when
    /// `progress` was saved.
    ///
    /// Throws `PatternError`, `QueryError` or `SystemError`.
    init(
        _ settings: OutputSettings,
        store: Store,
        destination: any OutputDestination,
        progress: [StreamID: StreamProgress],
        saved: Timestamp,
        now: Timestamp
    ) throws {
        self.settings = settings
        self.destination = destination
        redaction = try Redaction(settings.redactions)
        removed = RemovedText(settings, store: store, progress: progress, begin: saved)
        let shown = store.showing(settings.vms)
        let vms = try shown.vms()
        let folders = Set(vms.map(\.directory))
        known = progress.filter { folders.contains($0.key.vm) }
        var selection = settings.selection
        selection.cursor = known.isEmpty ? nil : QueryCursor(known.mapValues(\.cursor)).text
        entries = try EntrySource(
            store: shown,
            vms: vms,
            areAll: true,
            selection: selection,
            now: now,
            order: .turns,
            turn: turn
        )
    }

    /// The end of every stream in `scope`.
    static func ends(_ scope: OutputScope, in store: Store) throws -> [StreamID: StreamProgress] {
        let shown = store.showing(scope.vms)
        var ends: [StreamID: StreamProgress] = [:]
        for vm in try shown.vms() {
            for stream in try shown.streams(of: vm.directory) where scope.contains(stream.stream) {
                ends[stream] = StreamProgress(cursor: try shown.reader(of: stream).end())
            }
        }
        return ends
    }

    /// Where the first line of each stream in `scope` begins that was received at `moment` or later; its end when there is
    /// none.
    static func positions(
        since moment: Timestamp,
        _ scope: OutputScope,
        in store: Store
    ) throws -> [StreamID: StreamProgress] {
        let shown = store.showing(scope.vms)
        var positions = try ends(scope, in: store)
        for vm in try shown.vms() {
            for stream in positions.keys where stream.vm == vm.directory {
                var selection = Selection()
                selection.streams = [stream.stream]
                selection.since = moment
                let entries = try EntrySource(store: shown, vms: [vm], selection: selection, now: moment)
                switch try entries.next()?.entry {
                case .line(let line)?: positions[stream] = StreamProgress(cursor: line.start)
                case .event(let event)?: positions[stream] = StreamProgress(cursor: event.position)
                case nil: break
                }
            }
        }
        return positions
    }

    /// Notes what has changed in the store since it was read to its end.
    func note(_ changes: StoreChanges) {
        entries.note(changes)
    }

    /// Ends a read that is running, from any thread.
    func cancel() {
        turn.cancel()
    }

    /// The next batch, which is empty when there is nothing now. Unfinished lines are part of it when nothing was received
    /// since `silent`.
    func next(unfinishedSince silent: Timestamp?) throws -> OutputBatch {
        if let batch = removed.takeBatch(for: destination) {
            return batch
        }
        var batch = OutputBatch()
        turn.begin()
        do {
            while batch.bytes.count < settings.batch, batch.items.count < OutputLimits.records,
                let (entry, stream) = try entries.next()
            {
                switch entry {
                case .line(let line): append(line, stream, isPiece: false, to: &batch)
                case .event(let event): append(event, stream, to: &batch)
                }
            }
            batch.hasMore = !entries.isDrained
        } catch is ReadTurn.Expired {
            batch.hasMore = true
        }
        if let silent, !batch.hasMore {
            while let (line, stream) = entries.takeUnfinished(since: silent) {
                append(line, stream, isPiece: true, to: &batch)
            }
        }
        finish(&batch)
        lookForRemoved(&batch)
        return batch
    }

    /// What can still be read of removed VMs was read: finds what cannot. Their unfinished lines come before.
    private func lookForRemoved(_ batch: inout OutputBatch) {
        guard !batch.hasMore, removed.hasChanged else {
            return
        }
        let positions = entries.cursor.positions
        var hasRest = false
        let read = removed.scan(
            reached: { stream in
                streamIndexes[stream.id].map { index in
                    let isRead = entries.hasRead(stream.id, to: stream.end)
                    let cursor = isRead ? Cursor(offset: stream.end) : positions[stream.id] ?? .start
                    return StreamProgress(cursor: cursor, time: times[index])
                }
            },
            sendsRest: { stream in
                guard let (line, index) = entries.takeUnfinished(of: stream) else {
                    return false
                }
                append(line, index, isPiece: true, to: &batch)
                hasRest = true
                return true
            }
        )
        if hasRest {
            finish(&batch)
        }
        batch.moved.merge(read) { $1 }
        batch.hasMore = hasRest || removed.hasLosses
    }

    /// Whether a stream ends with an incomplete line.
    var hasUnfinished: Bool { entries.hasUnfinished }

    private func finish(_ batch: inout OutputBatch) {
        update()
        batch.origins = origins
        // A filter passes lines without returning them.
        let moved = settings.selection.filtersByText && !batch.hasMore ? entries.cursor : entries.takeMovedCursor()
        for (stream, cursor) in moved.positions {
            let time = streamIndexes[stream].map { times[$0] } ?? known[stream]?.time
            batch.moved[stream] = StreamProgress(cursor: cursor, time: time ?? RisingTime())
        }
    }

    /// Describes streams that are new.
    private func update() {
        while origins.count < entries.streams.count {
            let stream = entries.streams[origins.count]
            var origin = RecordOrigin(stream: stream.id, vm: stream.vm.identity)
            origin.encoded = destination.encode(origin)
            streamIndexes[stream.id] = origins.count
            times.append(known[stream.id]?.time ?? RisingTime())
            origins.append(origin)
        }
    }

    // MARK: - Records

    private func append(_ line: Line, _ stream: Int, isPiece: Bool, to batch: inout OutputBatch) {
        update()
        let decoded = DecodedLine(line)
        let own = decoded.record.flatMap { Self.ownTime($0) }
        var record = OutputRecord(
            origins[stream],
            at: line.start,
            pieceEnd: isPiece ? line.end : nil,
            time: times[stream].next(OutputRecord.nanoseconds(line.time), own: own),
            stored: line.time,
            text: UnsafeRawBufferPointer(start: nil, count: 0)
        )
        record.severity = decoded.severity
        record.fields = decoded.record
        record.isPartial = !line.isWhole && !line.endsRow
        let part = partEnds[stream].flatMap { $0.end == line.start.offset ? $0 : nil }
        record.continuesPart = part != nil
        record.continuesPiece = part?.isPiece ?? false
        partEnds[stream] = record.isPartial ? (line.end, isPiece) : nil
        decoded.withText { text -> Void in
            guard !redaction.isEmpty else {
                record.text = text
                return batch.append(record, origin: stream, for: destination)
            }
            record.fields = record.fields.map(redaction.redact)
            (redaction.redact(text) ?? []).withUnsafeBytes { redacted in
                record.text = redacted.isEmpty ? text : redacted
                batch.append(record, origin: stream, for: destination)
            }
        }
    }

    private func append(_ event: StreamEvent, _ stream: Int, to batch: inout OutputBatch) {
        update()
        partEnds[stream] = nil
        let kind: OutputRecord.Event
        switch event.kind {
        // It tells that a loss begins or ends; other markers tell how much was lost.
        case .gap(let gap) where gap.bytes == 0 && gap.lines == 0: return
        case .gap(let gap): kind = .gap(gap)
        case .missing(let bytes, let reason): kind = .missing(bytes: bytes, reason: reason)
        case .boot(let boot): kind = .boot(boot.event)
        // It tells people where a stream continues; no text begins or is missing there.
        case .origin: return
        }
        if case .missing(let bytes, .retention) = kind {
            batch.gaps += 1
            batch.gapBytes += bytes
        }
        if case .boot = kind, !settings.sendsBoots {
            return
        }
        let message = Array(kind.message.utf8)
        message.withUnsafeBytes { text in
            let record = OutputRecord(
                origins[stream],
                at: event.position,
                event: kind,
                time: times[stream].next(OutputRecord.nanoseconds(event.time)),
                stored: event.time,
                text: text
            )
            batch.append(record, origin: stream, for: destination)
        }
    }

    /// A record's own time with its nanoseconds; nil for one before 1970, which most receivers cannot express: they get
    /// the time of storing instead.
    private static func ownTime(_ record: StructuredRecord) -> Int64? {
        record.values(of: Array(StructuredRecord.timeName)).first.flatMap { text in
            text.withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) }
        }.flatMap { $0 < 0 ? nil : $0 }
    }
}
