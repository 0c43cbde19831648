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

    /// The same filter for a narrower stretch of time.
    func narrowed(since: Timestamp, until: Timestamp?) -> LineFilter {
        LineFilter(
            since: max(since, self.since),
            until: min(until ?? .distantFuture, self.until),
            severity: severity,
            pattern: matcher
        )
    }

    /// A filter from what a selection gives.
    init(since: Timestamp? = nil, until: Timestamp? = nil, severity: Severity? = nil, pattern: PatternMatcher? = nil) {
        self.since = since ?? .distantPast
        self.until = until ?? .distantFuture
        self.severity = severity
        matcher = pattern
        literal = pattern.flatMap { LiteralSearch($0.pattern) }
    }

    /// Whether it looks at what lines say.
    var looksAtText: Bool { severity != nil || matcher != nil }
    /// Whether it looks at times.
    var looksAtTime: Bool { since > .distantPast || until < .distantFuture }

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
