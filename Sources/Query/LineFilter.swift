import LogModel
import TextFormats

/// Which lines are wanted: by time, severity and pattern. Used by one thread.
final class LineFilter {
    /// Lines from this moment on.
    let since: Timestamp
    /// Lines up to this moment, which is included.
    let until: Timestamp
    /// Where the pattern can match at all, when that can be told quickly.
    let literal: LiteralSearch?
    private let severity: Severity?
    private let matcher: PatternMatcher?
    /// What ends the read that the filter is for.
    private let turn: ReadTurn?
    private var untilCheck = LineFilter.checkInterval

    /// Lines between two looks at the clock. The costliest match takes some milliseconds before it is given up.
    private static let checkInterval = 16

    /// The same filter for a narrower stretch of time.
    func narrowed(since: Timestamp, until: Timestamp?) -> LineFilter {
        LineFilter(
            since: max(since, self.since),
            until: min(until ?? .distantFuture, self.until),
            severity: severity,
            pattern: matcher,
            turn: turn
        )
    }

    /// A filter from what a selection gives.
    init(
        since: Timestamp? = nil,
        until: Timestamp? = nil,
        severity: Severity? = nil,
        pattern: PatternMatcher? = nil,
        turn: ReadTurn? = nil
    ) {
        self.turn = turn
        self.since = since ?? .distantPast
        self.until = until ?? .distantFuture
        self.severity = severity
        matcher = pattern
        literal = pattern.flatMap { LiteralSearch($0.pattern) }
    }

    /// Whether it looks at what lines say.
    var filtersByText: Bool { severity != nil || matcher != nil }
    /// Whether it looks at times.
    var filtersByTime: Bool { since > .distantPast || until < .distantFuture }

    /// To be called before each block: throws `ReadTurn.Cancelled` when nobody waits for the answer any more.
    func checkBlock() throws(ReadTurn.Cancelled) {
        try turn?.check()
    }

    /// To be called before each line: throws `ReadTurn.Cancelled`, or `ReadTurn.Expired` where the read can go on later,
    /// and `QueryError` when matching has been given up for good.
    func checkLine(isResumable: Bool) throws {
        guard let turn else {
            return
        }
        untilCheck -= 1
        guard untilCheck <= 0 else {
            return
        }
        untilCheck = Self.checkInterval
        try turn.check()
        if let pattern = matcher?.pattern, pattern.isExhausted {
            throw QueryError.tooCostly(pattern)
        }
        if isResumable {
            try turn.checkTime()
        }
    }

    /// Whether something of that time is wanted.
    func admits(_ time: Timestamp) -> Bool { since <= time && time <= until }

    /// Whether anything in that range of time is wanted.
    func overlaps(_ range: ClosedRange<Timestamp>) -> Bool {
        range.upperBound >= since && range.lowerBound <= until
    }

    /// Whether a line without LF and CR before it is wanted, its time aside.
    func admits(content: UnsafeRawBufferPointer) -> Bool {
        if let severity, (Severity(consoleLine: content) ?? .informational) > severity {
            return false
        }
        return matcher?.matches(content) ?? true
    }
}

/// A pattern with the memory to match it, shared by all streams of one query.
final class PatternMatcher {
    let pattern: Pattern
    private var matcher: Matcher

    init(_ pattern: Pattern) {
        self.pattern = pattern
        matcher = Matcher(pattern)
    }

    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        matcher.matches(text)
    }
}
