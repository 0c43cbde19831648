// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// Divides a console's text into lines for `BootState`, which detects where boots begin and end.
struct BootDetector {
    /// A finding; its positions are relative to the text just given, or to its end after a pause. They are negative for
    /// a line that began in text given earlier.
    typealias Finding = BootState.Finding

    private var state = BootState()
    /// Bytes given so far.
    private var scanned = 0
    /// The beginning of the current row, or, when nothing more in that row matters, its last bytes.
    private var head: [UInt8] = []
    private var headPosition = 0
    private var isSkipping = false
    /// Whether other text precedes the current row on its line.
    private var isMidLine = false
    /// The current row, if a pause divides what may be a banner in it.
    private var held: HeldRow?
    /// The last text given: the line before a banner tells whether a command printed it.
    private var recent = RecentText()

    /// The bytes kept of a row of which nothing matters, because a new row may begin in them.
    private static let carryLength = 24

    /// The announced end whose marker is not yet placed: it follows the last words of the boot.
    var pendingEnd: BootEvent? { state.pendingEnd }

    /// Whether `quiet` is to be called after `BootState.quietInterval` without text.
    var awaitsQuiet: Bool {
        state.awaitsQuiet
            || (state.awaitsWords && held == nil && !isSkipping && head.withUnsafeBytes { BootLine($0).hasText })
    }

    /// The transport shows `event`, after all text so far.
    mutating func note(_ event: BootEvent) -> [Finding] {
        var found: [Finding] = []
        endRow(at: state.lastText, &found)
        found += state.note(event, at: scanned)
        (isMidLine, recent) = (false, RecentText())
        return found.map(relative)
    }

    /// Nothing was received for `BootState.quietInterval`.
    mutating func quiet() -> [Finding] {
        var found: [Finding] = []
        pauseRow(&found)
        found += state.quiet(at: scanned)
        return found.map(relative)
    }

    /// Scans the next text, received at `time`.
    mutating func scan(_ text: UnsafeRawBufferPointer, time: Int64) -> [Finding] {
        guard !text.isEmpty else {
            return []
        }
        var found: [Finding] = []
        if state.isPause(before: time) {
            pauseRow(&found)
        }
        if let row = held {
            switch row.continuation(of: head, by: text) {
            case .unknown:
                (scanned, head) = (scanned + text.count, head + text)
                recent.append(text)
                return found.map(relative)
            case .sameRow: held = nil
            case .newRow: divide(row, &found)
            }
        }
        recent.begin(text, isResumed: state.isPause(of: BootState.shortest, before: time))
        found += state.receive(at: time, scanned)
        var start = 0
        while !head.isEmpty, start < text.count {
            // The row began earlier.
            let feed = Lines.firstFeed(in: text, from: start) ?? text.count
            let end = isSkipping ? feed : min(feed, start + BootBanner.lookAhead - head.count)
            let joined = head + text[start..<end]
            let isWhole = end == feed && feed < text.count
            joined.withUnsafeBytes { readLine($0, at: headPosition, isWhole: isWhole, text, time, &found) }
            start = isWhole ? end + 1 : end
        }
        var lines = PlainLines()
        while start < text.count {
            let feed = Lines.firstFeed(in: text, from: start)
            let line = UnsafeRawBufferPointer(rebasing: text[start..<(feed ?? text.count)])
            if let feed, state.isSteady, !isMidLine, lines.isPlain(start..<feed + 1, in: text), Self.tellsNothing(line)
            {
                start = feed + 1
                continue
            }
            readLine(line, at: scanned + start, isWhole: feed != nil, text, time, &found)
            start = (feed ?? text.count) + 1
        }
        if !found.isEmpty {
            found = found.map(relative)
        }
        scanned += text.count
        recent.append(text)
        return found
    }

    /// Whether a line of one row has neither a banner nor a stamp.
    private static func tellsNothing(_ line: UnsafeRawBufferPointer) -> Bool {
        guard BootLine.mayTell(line) else {
            return true
        }
        let line = BootLine(line)
        return line.banner == nil && line.stamp == nil
    }

    private func relative(_ finding: Finding) -> Finding {
        var finding = finding
        finding.offset -= scanned
        finding.subject -= scanned
        return finding
    }

    // MARK: - Rows

    /// Reads a line without its LF, or its beginning. Each of its rows counts as a line.
    private mutating func readLine(
        _ line: UnsafeRawBufferPointer,
        at position: Int,
        isWhole: Bool,
        _ text: UnsafeRawBufferPointer,
        _ time: Int64,
        _ found: inout [Finding]
    ) {
        var start = 0
        var rows = DisplayedRows(of: line, isWhole: isWhole)
        while let next = rows.next(after: start, followsText: isSkipping) {
            if !isSkipping {
                let row = UnsafeRawBufferPointer(rebasing: line[start..<next])
                _ = readRow(row, at: position + start, isComplete: true, text, time, &found)
            }
            (start, isSkipping, isMidLine) = (next, false, true)
        }
        let row = UnsafeRawBufferPointer(rebasing: line[start...])
        let isKnown = isSkipping || readRow(row, at: position + start, isComplete: isWhole, text, time, &found)
        if isWhole {
            (isSkipping, isMidLine) = (false, false)
            head.removeAll(keepingCapacity: true)
            return
        }
        isSkipping = isKnown || row.count >= BootBanner.lookAhead
        head = Array(isSkipping ? row.suffix(Self.carryLength) : row[...])
        headPosition = position + line.count - head.count
    }

    /// Reads a row; returns whether the rest of it is of no interest.
    private mutating func readRow(
        _ row: UnsafeRawBufferPointer,
        at position: Int,
        isComplete: Bool,
        _ text: UnsafeRawBufferPointer,
        _ time: Int64,
        _ found: inout [Finding]
    ) -> Bool {
        let line = BootLine(row)
        if state.isSteady, line.banner == nil, line.stamp == nil {
            return isComplete
        }
        var context = BootState.Context(offset: position, time: time, isMidLine: isMidLine, isComplete: isComplete)
        if line.banner?.isOncePerStart ?? false {
            guard isComplete || row.count >= BootBanner.lookAhead else {
                return false
            }
            context.words = Self.words(row, from: line.start)
        }
        if state.dependsOnSurroundings(line, context) {
            let start = position - scanned
            context.isOfPager = recent.isOfPager(start, of: text, noise: row[..<line.start])
            context.isAtShell = context.isOfPager || !isMidLine && recent.isAtShell(start, of: text) || recent.isOutput
        }
        context.isOutput = recent.isOutput
        if line.hasPriority, let stamp = line.stamp, let clock = state.clock {
            context.isOfOtherKernel = clock.isAhead(stamp, time)
        }
        // A prompt is short.
        if isComplete, state.awaitsPrompt, line.stamp == nil, line.banner == nil, row.count <= BootBanner.lookAhead {
            context.prompt = ShellPrompt.isPager(row) ? .command : ShellPrompt.prompt(displayed: row)
        }
        return state.apply(line, context, &found)
    }

    /// The words of `row` from `start` on, as far as they are examined, without blanks and line ends after them.
    private static func words(_ row: UnsafeRawBufferPointer, from start: Int) -> [UInt8] {
        let words = row.prefix(BootBanner.lookAhead)[start...]
        return Array(words.prefix(upTo: words.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? start))
    }

    // MARK: - Pauses

    /// Ends an unfinished row at a pause, unless that may divide a banner.
    private mutating func pauseRow(_ found: inout [Finding]) {
        guard held == nil else {
            return
        }
        if !isSkipping, !head.isEmpty, head.withUnsafeBytes(BootLine.endsWithinBanner) {
            held = HeldRow(length: head.count, time: state.lastText)
        } else {
            endRow(at: state.lastText, &found)
        }
    }

    /// Ends `row` where the pause was: what came after it is a row of its own.
    private mutating func divide(_ row: HeldRow, _ found: inout [Finding]) {
        let (rest, position) = (head[row.length...], headPosition + row.length)
        head.removeLast(rest.count)
        endRow(at: row.time, &found)
        (head, headPosition) = (Array(rest), position)
    }

    /// Ends an unfinished row, received at `time`: what follows on its line is a row of its own.
    private mutating func endRow(at time: Int64, _ found: inout [Finding]) {
        guard !head.isEmpty else {
            return
        }
        if !isSkipping {
            let row = head
            row.withUnsafeBytes {
                if state.stage != .kernel, ShellPrompt.showsSystem(displayed: $0) {
                    state.noteSystem(at: time)
                }
                let end = UnsafeRawBufferPointer(start: nil, count: 0)
                _ = readRow($0, at: headPosition, isComplete: true, end, time, &found)
                if ShellPrompt.asksForLogin(displayed: $0) {
                    state.noteLogin(BootState.Context(offset: headPosition + row.count, time: time), &found)
                }
            }
        }
        head.removeAll(keepingCapacity: true)
        (isSkipping, isMidLine, held) = (false, true, nil)
    }
}
