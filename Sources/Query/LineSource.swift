// SPDX-License-Identifier: Apache-2.0

import CLinux
import LogModel
import LogStore
import TextFormats

/// The selected lines and events of one stream, in order. Holds one block, and a line that spans several.
///
/// Markers precede the line that begins, or continues, after them.
final class LineSource {
    private let reader: StreamReader
    private let plan: BlockPlan
    private let filter: LineFilter
    private let isFollowing: Bool
    /// Whether a read may end with a turn and continue in the next.
    private let isResumable: Bool
    /// Nothing at or beyond this position is read.
    private let bound: Cursor?
    private let properties: StreamProperties
    private let literal: LiteralSearch?
    private let lineLimit: Int
    private let floor: UInt64
    private let limit: UInt64

    private var batch: LoadedBatch?
    /// Index in the batch's text of the next byte that belongs to no line yet.
    private var at = 0
    private var position: Cursor
    private var events: ArraySlice<StreamEvent> = []
    private var torn = TornLine()
    /// Whether the next bytes follow skipped blocks, and may continue a line whose beginning was not read.
    private var hasLeapt: Bool
    private var isAtEnd = false
    private var hasNotedEnd = false
    /// A line that is complete and waits for events that precede it.
    private var waiting: Line?
    private var latestBeforeBatch: Timestamp
    private var lastTime: Timestamp
    private var handedOut: Cursor?

    /// Where to resume: everything before was returned and processed, or is not selected.
    private(set) var cursor: Cursor

    /// The lines of `reader`'s stream from `start`, where a line begins unless `isLeap`: then a line that began at
    /// `floor` at the earliest may continue there. Only lines that begin before `limit`.
    init(
        _ reader: StreamReader,
        _ properties: StreamProperties,
        plan: BlockPlan,
        filter: LineFilter,
        from start: Cursor = .start,
        to bound: Cursor? = nil,
        isFollowing: Bool = false,
        isResumable: Bool = true,
        isLeap: Bool = false,
        floor: UInt64? = nil,
        before limit: UInt64 = .max
    ) throws {
        self.reader = reader
        self.plan = plan
        self.filter = filter
        self.isFollowing = isFollowing
        self.isResumable = isResumable
        self.bound = bound
        self.properties = properties
        literal = filter.literal(in: properties.encoding)
        lineLimit = properties.encoding == .json ? QueryLimits.structuredLine : QueryLimits.line
        self.floor = floor ?? start.offset
        hasLeapt = isLeap
        self.limit = limit
        position = start
        cursor = start
        latestBeforeBatch = try plan.latestTime(before: start, reader)
        lastTime = plan.lastTime
    }

    /// The stream's running maximum of time at the last entry returned.
    private(set) var runningMaximum = Timestamp.distantPast

    /// Whether no more entries can follow.
    var isFinished: Bool { isAtEnd && !isFollowing || isAtBound }
    private var isAtBound = false

    /// The next selected entry; nil when there is none now.
    ///
    /// The previous entry's bytes become invalid. Throws `ReadTurn.Expired` between two lines.
    func next() throws -> LogEntry? {
        settle()
        while true {
            try filter.checkLine(isResumable: isResumable)
            if let line = waiting {
                if let event = events.first, event.place.offset < line.end {
                    events.removeFirst()
                    if let entry = admit(event) {
                        return entry
                    }
                    continue
                }
                waiting = nil
                handedOut = Cursor(offset: line.end)
                runningMaximum = max(runningMaximum, lineMaximum)
                return .line(line)
            }
            if batch == nil, try !load() {
                let mayContinue = isFollowing && !isAtBound
                if !torn.isEmpty, !mayContinue || events.contains(where: \.cutsLine) {
                    finishTorn()
                    continue
                }
                guard torn.isEmpty, let event = events.popFirst() else {
                    isAtEnd = !mayContinue
                    return nil
                }
                if let entry = admit(event) {
                    return entry
                }
                continue
            }
            if let event = events.first, event.place.offset <= lineStart {
                events.removeFirst()
                if let entry = admit(event) {
                    return entry
                }
                continue
            }
            cutNext()
        }
    }

    /// An incomplete line, if it is selected; the rest will be a line of its own.
    func takePartial() -> Line? {
        guard batch == nil, !torn.isEmpty, torn.isKnown, !filter.filtersByText, filter.admits(torn.time) else {
            return nil
        }
        let line = torn.line
        torn.taken()
        handedOut = Cursor(offset: line.end)
        return line
    }

    /// An incomplete line, to be inspected only.
    var partial: Line? {
        batch == nil && !torn.isEmpty && torn.isKnown && filter.admits(torn.time) ? torn.line : nil
    }

    // MARK: - Progress

    /// Marks the last entry as processed: `cursor` moves past it.
    func settle() {
        if let place = handedOut {
            cursor = max(cursor, place)
            handedOut = nil
        }
    }

    private func admit(_ event: StreamEvent) -> LogEntry? {
        let place = place(after: event)
        guard filter.admits(event.time) else {
            if let place, event.time < filter.since {
                cursor = max(cursor, place)
            }
            return nil
        }
        handedOut = place
        runningMaximum = max(runningMaximum, waiting == nil ? max(latestBeforeBatch, event.time) : lineMaximum)
        return .event(event)
    }

    /// Where to resume after `event`; nil when it is inside a line, where reading cannot resume.
    private func place(after event: StreamEvent) -> Cursor? {
        let start = waiting?.start.offset ?? lineStart
        if event.place.offset >= start {
            return event.place.offset == start ? event.next : nil
        }
        // It was inside a skipped line, and more such events may follow.
        let isLast = events.first.map { $0.place.offset >= start } ?? true
        return isLast ? Cursor(offset: start) : nil
    }

    private var lineMaximum = Timestamp.distantPast

    /// Position at which the current line began, or the next will begin.
    private var lineStart: UInt64 {
        torn.isEmpty ? batch.map { $0.block.offset + UInt64(at) } ?? position.offset : torn.start.offset
    }

    // MARK: - Batches

    /// Reads the next batch; false when there is none.
    private func load() throws -> Bool {
        guard !isAtBound else {
            return false
        }
        try filter.checkBlock()
        if torn.isEmpty {
            let next = position.offset < plan.end ? plan.next(after: position, filter) : position
            if next != position {
                position = next
                hasLeapt = true
            }
        }
        if torn.isEmpty, position.offset >= limit {
            isAtBound = true
        }
        if let bound, position >= bound {
            isAtBound = true
        }
        if isAtBound {
            return false
        }
        guard let found = try reader.batch(at: position) else {
            // A follower is done when the stream's time has passed the selected range.
            isAtBound = isFollowing && lastTime > filter.until
            noteLostEnd()
            return false
        }
        let isBroken = found.start != position.offset
        let loaded = LoadedBatch(found, at: position, bound: bound, plan)
        events.append(contentsOf: loaded.events)
        latestBeforeBatch = max(latestBeforeBatch, plan.latestTime(before: loaded.start))
        if isBroken {
            hasLeapt = false
            if !torn.isEmpty {
                finishTorn()
            }
        }
        position = found.next
        at = loaded.startPlace
        batch = loaded
        if hasLeapt, loaded.hasText {
            hasLeapt = false
            try resolveLeap(loaded)
        }
        return true
    }

    /// At the end of the stream, reports a known loss after it.
    private func noteLostEnd() {
        guard !isFollowing, bound == nil, !hasNotedEnd else {
            return
        }
        hasNotedEnd = true
        guard let lost = reader.lostEnd(after: position) else {
            return
        }
        let time = lastTime > .distantPast ? lastTime : lost.time
        let gap = GapDetail(reason: .corruption, bytes: nil, lines: 0, since: time, isClosed: true)
        let kind = lost.bytes.map { StreamEvent.Kind.missing(bytes: $0, reason: .corruption) } ?? .gap(gap)
        events.append(StreamEvent(kind: kind, place: position, next: position, time: time))
    }

    /// After skipped blocks the batch may begin inside a line.
    private func resolveLeap(_ loaded: LoadedBatch) throws {
        guard loaded.startsMidLine else {
            return
        }
        let begun = try OpenLine.start(before: loaded.start, notBefore: floor, reader)
        guard begun < loaded.start else {
            return
        }
        // Pieces are counted from the line's first byte; the current one began in a skipped block.
        let limit = UInt64(lineLimit)
        let piece = begun + (loaded.start - begun - 1) / limit * limit
        torn.beginUnknown(at: Cursor(offset: piece), count: Int(loaded.start - piece))
    }

    private func release() {
        if let batch {
            latestBeforeBatch = max(latestBeforeBatch, batch.latest)
            lastTime = batch.latest
            if bound != nil, batch.endsAtBound {
                isAtBound = true
            }
        }
        batch = nil
    }

    // MARK: - Lines

    /// Cuts the next line off the batch, or the part of it in the batch.
    private func cutNext() {
        guard let batch else {
            return
        }
        // The next position at which a line is cut.
        let cut = events.first(where: \.cutsLine)
        if let cut, !torn.isEmpty, cut.place.offset <= batch.block.offset + UInt64(at) {
            finishTorn()
            return
        }
        if torn.isEmpty, batch.block.offset + UInt64(at) >= limit {
            isAtBound = true
        }
        if at >= batch.stop || isAtBound {
            release()
            return
        }
        let cutPlace = cut.map { min(batch.stop, Int($0.place.offset - batch.block.offset)) }
        let windowEnd = cutPlace ?? batch.stop
        if torn.isEmpty {
            leapInside(batch, windowEnd)
            if at >= windowEnd {
                return
            }
        }
        let text = batch.block.text
        let held = torn.count
        let room = lineLimit - held
        let window = UnsafeRawBufferPointer(rebasing: text[at..<windowEnd])
        let searched = UnsafeRawBufferPointer(rebasing: window.prefix(room + 1))
        if let feed = Lines.firstFeed(in: searched) {
            emit(batch, count: feed + 1)
        } else if window.count > room {
            emit(batch, count: room)
        } else if cutPlace != nil {
            emit(batch, count: window.count)
        } else {
            if torn.isEmpty, !window.isEmpty {
                torn.begin(batch.lineHead(at: at), latestBefore: latestBeforeBatch)
            }
            torn.append(window)
            at = windowEnd
            release()
        }
    }

    /// Skips lines of the window that are certainly not selected, without cutting them.
    private func leapInside(_ batch: LoadedBatch, _ windowEnd: Int) {
        let text = batch.block.text
        if filter.filtersByTime, let wanted = batch.firstPlace(from: at, filter) {
            skip(to: wanted.place, in: batch, windowEnd, isDone: wanted.isOlder)
        }
        guard let literal, at < windowEnd else {
            return
        }
        let window = UnsafeRawBufferPointer(rebasing: text[at..<windowEnd])
        let hit = literal.firstHit(in: window).map { $0 + at } ?? windowEnd
        skip(to: hit, in: batch, windowEnd, isDone: batch.latest <= filter.until)
    }

    /// Moves to the beginning of the line with the byte at `place`, or that ends the window.
    private func skip(to place: Int, in batch: LoadedBatch, _ windowEnd: Int, isDone: Bool) {
        let end = min(place, windowEnd)
        guard end > at, let base = batch.block.text.baseAddress,
            let feed = gl_memrchr(base + at, Int32(Lines.feed), end - at)
        else {
            return
        }
        at = UnsafeRawPointer(feed) - UnsafeRawPointer(base) + 1
        if isDone {
            pass(to: batch.block.offset + UInt64(at))
        }
    }

    /// Ends the current line with the batch's next `count` bytes.
    private func emit(_ batch: LoadedBatch, count: Int) {
        let piece = UnsafeRawBufferPointer(rebasing: batch.block.text[at..<at + count])
        guard torn.isEmpty else {
            torn.append(piece)
            at += count
            finishTorn()
            return
        }
        let head = batch.lineHead(at: at)
        at += count
        offer(
            Line(start: head.start, time: head.time, bytes: piece, isRecovered: head.isRecovered),
            latest: max(latestBeforeBatch, head.latest)
        )
    }

    /// Marks the lines up to `position` as processed, unless a marker among them is still to be returned.
    private func pass(to position: UInt64) {
        if events.first.map({ $0.place.offset >= position }) ?? true {
            cursor = max(cursor, Cursor(offset: position))
        }
    }

    private func finishTorn() {
        defer { torn.taken() }
        guard torn.isKnown else {
            return
        }
        offer(torn.line, latest: torn.latest)
    }

    private func offer(_ found: Line, latest: Timestamp) {
        var line = found
        line.encoding = properties.encoding
        var latest = latest
        if properties.clock == .own, let time = StructuredRecord.time(in: line.content) {
            line.time = time
            latest = max(latest, time)
        }
        guard filter.admits(line.time), filter.admits(line) else {
            if line.time <= filter.until {
                pass(to: line.end)
            }
            return
        }
        lineMaximum = latest
        waiting = line
    }
}
