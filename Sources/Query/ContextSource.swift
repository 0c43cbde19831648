// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// The selected lines of one stream with the lines around them, as grep's `-A` and `-B`.
///
/// `matches` finds selected lines, as fast as without context. From the first line of a match's context on, a second
/// source, the group, reads every line, until no line of a context follows. A line is returned once.
final class ContextSource: StreamEntries {
    private let opening: StreamOpening
    private let context: ContextSize
    private let matches: LineSource
    /// The lines of the present group.
    private var group: LineSource?
    /// Where the next group begins, while losses before it are still to be returned.
    private var groupStart: Cursor?
    private var hasMatched = false
    /// How many lines after the last match are still to be returned.
    private var trailing = 0
    /// Losses and boots that `matches` has passed and that were not returned: the next group may include them.
    private var passed: ArraySlice<StreamEvent> = []
    /// The end of the lines that were returned, or are not in a context.
    private var end: Cursor
    private var endOfLastLine: UInt64?
    private var handedOut: Cursor?

    private(set) var runningMaximum = Timestamp.distantPast

    init(_ opening: StreamOpening, _ context: ContextSize) throws {
        self.opening = opening
        self.context = context
        matches = try opening.makeLineSource()
        end = opening.start
    }

    var readEnd: UInt64 { matches.readEnd }

    func next() throws -> LogEntry? {
        markProcessed()
        while true {
            if let groupStart {
                if let event = passed.first, event.position < groupStart {
                    return pass()
                }
                passed = []
                group = try opening.makeContextSource(from: groupStart)
                hasMatched = false
                self.groupStart = nil
            }
            if let group {
                guard let entry = try group.next() else {
                    guard group.isFinished else {
                        return nil
                    }
                    endGroup(at: group.cursor)
                    continue
                }
                if let entry = admit(entry, of: group) {
                    return entry
                }
            } else if let entry = try matches.next() {
                try note(entry)
            } else if !passed.isEmpty {
                return pass()
            } else if let line = matches.unfinished, line.start.offset >= end.offset, opening.filter.admits(line) {
                try begin(before: line)
            } else {
                return nil
            }
        }
    }

    // MARK: - Groups

    /// Takes account of an entry of `matches`.
    private func note(_ entry: LogEntry) throws {
        switch entry {
        case .event(let event):
            if event.position >= end {
                passed.append(event)
            }
        case .line(let line):
            if line.start.offset >= end.offset {
                try begin(before: line)
            }
        }
    }

    /// Begins the group of the match `line`.
    private func begin(before line: Line) throws {
        groupStart = try start(before: line.start)
    }

    /// Where the context of the match at `match` begins: at most `context.before` lines before it.
    private func start(before match: Cursor) throws -> Cursor {
        let lowest = endOfLastLine ?? opening.floor.offset
        var from = match.offset
        for _ in 0..<context.before where from > lowest {
            // Lines before a gap are context too.
            from = max(lowest + 1, opening.plan.endOfBytes(before: from))
            from = try OpenLine.start(before: from - 1, notBefore: lowest, opening.contextReader)
        }
        guard from < match.offset else {
            return match
        }
        // A line that was stored may be displayed as several.
        let source = try opening.makeContextSource(in: from..<match.offset)
        var starts: [Cursor] = []
        while let entry = try source.next() {
            if case .line(let line) = entry {
                starts.append(line.start)
            }
        }
        return starts.suffix(context.before).first ?? match
    }

    /// The entry of the group as it is returned; nil when the group ends before it.
    private func admit(_ entry: LogEntry, of group: LineSource) -> LogEntry? {
        guard case .line(var line) = entry else {
            runningMaximum = group.runningMaximum
            return entry
        }
        guard let role = takeRole(of: line) else {
            endGroup(at: line.start)
            return nil
        }
        runningMaximum = group.runningMaximum
        line.role = role
        return .line(marked(line))
    }

    /// What `line` is in the group; nil when it is not in it.
    private func takeRole(of line: Line) -> Line.Role? {
        // Before the start are matches that the last lines do not include.
        if line.start.offset >= opening.start.offset, opening.filter.admits(line) {
            hasMatched = true
            trailing = context.after
            return .selected
        }
        guard hasMatched else {
            return .before
        }
        guard trailing > 0 else {
            return nil
        }
        trailing -= 1
        return .after
    }

    /// The line, with what precedes it: lines that were not returned, or not.
    private func marked(_ line: Line) -> Line {
        var line = line
        line.followsOmission = endOfLastLine.map { $0 < line.start.offset } ?? false
        endOfLastLine = line.end
        return line
    }

    private func endGroup(at position: Cursor) {
        group = nil
        end = max(end, position)
    }

    /// Returns the first event of those that `matches` has passed.
    private func pass() -> LogEntry {
        let event = passed.removeFirst()
        handedOut = event.next
        runningMaximum = max(runningMaximum, event.time)
        return .event(event)
    }

    // MARK: - Progress

    func markProcessed() {
        group?.markProcessed()
        if let resume = handedOut {
            end = max(end, resume)
            handedOut = nil
        }
    }

    var cursor: Cursor {
        if let group {
            return max(end, group.cursor)
        }
        let hasMore = groupStart != nil || !passed.isEmpty || handedOut != nil
        return hasMore ? end : max(end, matches.cursor)
    }

    var isFinished: Bool { group == nil && groupStart == nil && passed.isEmpty && matches.isFinished }

    func takeUnfinished() -> Line? {
        guard let group, let unfinished = group.unfinished, let role = takeRole(of: unfinished) else {
            return nil
        }
        guard var line = group.takeUnfinished() else {
            return nil
        }
        line.role = role
        return marked(line)
    }

    func isSpeaking(at moment: Timestamp) -> Bool { (group ?? matches).isSpeaking(at: moment) }

    func isUnfinished(since moment: Timestamp?) -> Bool { (group ?? matches).isUnfinished(since: moment) }

    func releaseFinishedBlock() -> Bool {
        let isReleased = group?.releaseFinishedBlock() ?? true
        return matches.releaseFinishedBlock() && isReleased
    }
}
