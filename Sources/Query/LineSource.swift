// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// The selected lines and events of one stream, in order. Holds one block, and a line that spans several.
///
/// Markers precede the line that begins, or continues, after them.
final class LineSource {
    let reader: StreamReader
    let plan: BlockPlan
    let filter: LineFilter
    private let isFollowing: Bool
    /// Whether a read may end with a turn and continue in the next.
    private let isResumable: Bool
    /// Nothing at or beyond this position is read.
    let bound: Cursor?
    let properties: StreamProperties
    let literal: LiteralSearch?
    /// What a matching line must contain, as segments' filters have it.
    let word: SearchWord?
    let decoder: CharsetDecoder?
    let lineLimit: Int
    let floor: UInt64
    /// Lines that begin before this are not returned.
    let lowest: UInt64
    /// No block before this position is skipped: a line that began in one continues here.
    var skipsFrom: UInt64 = 0
    let limit: UInt64

    var batch: LoadedBatch?
    /// The offset in the batch's text of the next byte that belongs to no line yet.
    var textOffset = 0
    var position: Cursor
    var events: ArraySlice<StreamEvent> = []
    var torn: TornLine
    /// Cuts the batch's text.
    var cutter = DisplayedLineCutter()
    /// The character sets that the line at a position begins with, if they are not the usual ones.
    var carried: (position: UInt64, sets: CharacterSets)?
    /// The line before one that may be painted behind it.
    var before: LineBefore?
    /// Where reading begins, until it has begun.
    private var start: Cursor?
    /// The first offset in the batch where the filter's literal was found, and from where it was searched.
    var literalHit: (from: Int, offset: Int)?
    /// The same for the beginning of an array in JSON.
    var arrayHit: (from: Int, offset: Int)?
    /// Whether the next bytes follow skipped blocks, and may continue a line whose beginning was not read.
    var hasLeapt: Bool
    /// Where skipped blocks of which nothing is selected end. The cursor passes them when it is known that no line continues
    /// there: it would resume inside that line.
    var leaptTo: UInt64 = 0
    private var isAtEnd = false
    private var hasNotedEnd = false
    /// A line that is complete and waits for events that precede it.
    var waiting: Line?
    var latestBeforeBatch: Timestamp
    var lastTime: Timestamp
    private var handedOut: Cursor?

    /// Where to resume: everything before was returned and processed, or is not selected.
    var cursor: Cursor

    /// The lines of `reader`'s stream from `start`, where a line begins unless `isLeap`: then a line that began at
    /// `floor` at the earliest may continue there. Only lines that begin before `limit`.
    init(
        _ reader: StreamReader,
        _ properties: StreamProperties,
        plan: BlockPlan,
        filter: LineFilter,
        charset: Charset? = nil,
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
        literal = filter.literal(in: properties.encoding, charset)
        word = literal?.word
        decoder = properties.encoding == .raw ? charset?.decoder() : nil
        lineLimit = properties.encoding == .json ? QueryLimits.structuredLine : QueryLimits.line
        torn = TornLine(isConsole: properties.encoding == .raw, limit: lineLimit)
        self.floor = floor ?? start.offset
        lowest = isLeap ? start.offset : 0
        hasLeapt = isLeap
        self.start = isLeap ? nil : start
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
    var isAtBound = false

    /// The next selected entry; nil when there is none now.
    ///
    /// The previous entry's bytes become invalid. Throws `ReadTurn.Expired` between two lines.
    func next() throws -> LogEntry? {
        markProcessed()
        while true {
            try filter.checkLine(isResumable: isResumable)
            if let line = waiting {
                if let event = events.first, event.position.offset < line.end {
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
            if !torn.isEmpty, let line = torn.next() {
                offer(line)
                continue
            }
            if batch == nil, try !load() {
                let mayContinue = isFollowing && !isAtBound
                if !torn.isEmpty, !mayContinue || events.contains(where: \.cutsLine) {
                    offer(torn.takeRest())
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
            guard waiting == nil else {
                // The batch does not continue the line, which precedes what the batch begins with.
                continue
            }
            if let event = events.first, event.position.offset <= lineStart {
                events.removeFirst()
                if let entry = admit(event) {
                    return entry
                }
                continue
            }
            try cutNext()
        }
    }

    /// An incomplete line, if it is selected; the rest will be a line of its own.
    func takeUnfinished() -> Line? {
        guard let line = selectedUnfinished else {
            return nil
        }
        _ = torn.takeShown()
        handedOut = Cursor(offset: line.end)
        return line
    }

    /// Whether it has an incomplete line of which a part was received within the second after `moment`.
    func isSpeaking(at moment: Timestamp) -> Bool {
        batch == nil && !torn.isEmpty && moment < lastTime && lastTime < moment.advanced(byMicroseconds: 1_000_000)
    }

    /// Whether it has an incomplete line, which is selected, of which nothing was received since `moment`; nil: whenever
    /// it was received.
    func isUnfinished(since moment: Timestamp?) -> Bool {
        moment.map { lastTime <= $0 } ?? true && selectedUnfinished != nil
    }

    private var selectedUnfinished: Line? {
        guard let line = unfinished, !filter.filtersByText || filter.admits(line) else {
            return nil
        }
        return line
    }

    /// An incomplete line, to be inspected only.
    var unfinished: Line? {
        guard batch == nil, let shown = torn.shown else {
            return nil
        }
        let line = described(drawn(shown))
        return filter.admits(line.time) ? line : nil
    }

    /// Releases the block in memory if all of it was returned; whether none is in memory then.
    func releaseFinishedBlock() -> Bool {
        if waiting == nil, let batch, textOffset >= batch.stop {
            release()
        }
        return batch == nil
    }

    // MARK: - Progress

    /// Marks the last entry as processed: `cursor` moves past it.
    func markProcessed() {
        if let resume = handedOut {
            cursor = max(cursor, resume)
            handedOut = nil
        }
    }

    private func admit(_ event: StreamEvent) -> LogEntry? {
        let resume = resumePosition(after: event)
        guard filter.admits(event.time) else {
            if let resume, event.time < filter.since {
                cursor = max(cursor, resume)
            }
            return nil
        }
        handedOut = resume
        runningMaximum = max(runningMaximum, waiting == nil ? max(latestBeforeBatch, event.time) : lineMaximum)
        return .event(event)
    }

    /// Where to resume after `event`; nil when it is inside a line, where reading cannot resume.
    private func resumePosition(after event: StreamEvent) -> Cursor? {
        let start = waiting?.start.offset ?? lineStart
        if event.position.offset >= start {
            return event.position.offset == start ? event.next : nil
        }
        // It was inside a skipped line, and more such events may follow.
        let isLast = events.first.map { $0.position.offset >= start } ?? true
        return isLast ? Cursor(offset: start) : nil
    }

    var lineMaximum = Timestamp.distantPast

    /// Position at which the current line began, or the next will begin.
    var lineStart: UInt64 {
        torn.isEmpty ? batch.map { $0.block.offset + UInt64(textOffset) } ?? position.offset : torn.start.offset
    }

    // MARK: - Batches

    /// Reads the next batch; false when there is none.
    private func load() throws -> Bool {
        guard !isAtBound else {
            return false
        }
        try filter.checkBlock()
        if torn.isEmpty, position.offset >= skipsFrom {
            let next = position.offset < plan.end ? plan.next(after: position, filter) : position
            if next != position {
                position = next
                hasLeapt = true
                if plan.latestTime(before: next.offset) <= filter.until {
                    leaptTo = next.offset
                }
            }
            try passOver()
        }
        if torn.isEmpty && position.offset >= limit || bound.map({ position >= $0 }) ?? false {
            isAtBound = true
        }
        if isAtBound {
            pass(to: leaptTo)
            return false
        }
        guard let found = try reader.batch(at: position) else {
            try passLeap()
            // A follower is done when the stream's time has passed the selected range.
            isAtBound = isFollowing && lastTime > filter.until
            noteLostEnd()
            return false
        }
        let isBroken = found.start != position.offset
        let loaded = LoadedBatch(found, at: position, bound: bound, plan)
        latestBeforeBatch = max(latestBeforeBatch, plan.latestTime(before: loaded.start))
        if isBroken {
            hasLeapt = false
            if !torn.isEmpty {
                offer(torn.takeRest())
            }
        }
        if hasLeapt, loaded.hasText {
            hasLeapt = false
            if try resolveLeap(loaded) {
                return try load()
            }
        } else if let start, loaded.hasText {
            try learnSets(at: start, loaded)
        }
        if !hasLeapt {
            pass(to: leaptTo)
        }
        start = loaded.hasText ? nil : start
        events.append(contentsOf: loaded.events)
        position = found.next
        textOffset = loaded.startOffset
        batch = loaded
        cutter = DisplayedLineCutter()
        (literalHit, arrayHit) = (nil, nil)
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
        events.append(StreamEvent(kind: kind, position: position, next: position, time: time))
    }

    func release() {
        if let batch {
            latestBeforeBatch = max(latestBeforeBatch, batch.latest)
            lastTime = batch.latest
            if bound != nil, batch.endsAtBound {
                isAtBound = true
            }
        }
        batch = nil
    }
}
