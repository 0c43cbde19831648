// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// Selects lines by time, severity and pattern. Used by one thread.
final class LineFilter {
    let since: Timestamp
    /// Lines up to this moment, inclusive.
    let until: Timestamp
    /// Finds where the pattern can match, if it has a literal for a fast search.
    private let literal: LiteralSearch?
    private let severities: ClosedRange<Severity>?
    private let fields: FieldMatches
    private let matcher: PatternMatcher?
    /// The turn of the read that the filter is used for.
    private let turn: ReadTurn?
    private var untilCheck = LineFilter.checkInterval

    /// Lines between two checks of the time. The most expensive match takes some milliseconds before it is given up.
    private static let checkInterval = 16

    /// The same filter for a narrower range of time.
    func narrowed(since: Timestamp, until: Timestamp?) -> LineFilter {
        LineFilter(
            since: max(since, self.since),
            until: min(until ?? .distantFuture, self.until),
            severities: severities,
            fields: fields,
            pattern: matcher,
            turn: turn
        )
    }

    /// The same filter by time only.
    var withoutContents: LineFilter { LineFilter(since: since, until: until, turn: turn) }

    /// The same filter by contents only.
    var withoutTimes: LineFilter {
        LineFilter(severities: severities, fields: fields, pattern: matcher, turn: turn)
    }

    init(
        since: Timestamp? = nil,
        until: Timestamp? = nil,
        severities: ClosedRange<Severity>? = nil,
        fields: FieldMatches = FieldMatches(),
        pattern: PatternMatcher? = nil,
        turn: ReadTurn? = nil
    ) {
        self.turn = turn
        self.since = since ?? .distantPast
        self.until = until ?? .distantFuture
        self.fields = fields
        self.severities = severities
        matcher = pattern
        literal = pattern.flatMap { LiteralSearch($0.pattern) }
    }

    /// Whether it filters by the lines' contents.
    var filtersByText: Bool { severities != nil || matcher != nil || !fields.isEmpty }
    /// Whether it filters by time.
    var filtersByTime: Bool { since > .distantPast || until < .distantFuture }

    /// To be called before each block: throws `ReadTurn.Cancelled` when the response is not needed any more.
    func checkBlock() throws(ReadTurn.Cancelled) {
        try turn?.check()
    }

    /// To be called before each line: throws `ReadTurn.Cancelled`, `ReadTurn.Expired` where the read can continue
    /// later, and `QueryError` when matching was given up for good.
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

    /// Whether the time is selected.
    func admits(_ time: Timestamp) -> Bool { since <= time && time <= until }

    /// Whether any time of the range is selected.
    func overlaps(_ range: ClosedRange<Timestamp>) -> Bool {
        range.upperBound >= since && range.lowerBound <= until
    }

    /// Whether a line is selected by its contents.
    func admits(_ line: Line) -> Bool {
        guard filtersByText else {
            return true
        }
        let decoded = DecodedLine(line)
        if let severities, !severities.contains(decoded.severity ?? .informational) {
            return false
        }
        return fields.admit(decoded.record) && (matcher.map { decoded.withText($0.matches) } ?? true)
    }

    /// Finds where the pattern can match in the bytes of a stream; nil when there it may be written in another way.
    func literal(in encoding: StreamProperties.Encoding, _ charset: Charset?) -> LiteralSearch? {
        switch encoding {
        case .json: literal?.inJSON
        case .raw: charset == nil || literal?.isASCII == true ? literal : nil
        }
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
