// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Which entries are requested. All members are optional; combinations must be consistent.
public struct Selection: Sendable {
    public var streams: Set<StreamName>?
    public var since: Timestamp?
    public var until: Timestamp?
    /// Only the last lines of the rest of the selection, at most `largestTail`. Lines of a context do not count.
    public var tail: Int?
    /// Only the first lines of the rest of the selection, `tail` included. Lines of a context do not count.
    public var head: Int?
    /// Only one boot: 0 the latest, -1 the one before, …; 1 the oldest stored, 2 the next, ….
    public var boot: Int?
    /// Only lines of these severities. A line without a severity counts as informational.
    public var severities: ClosedRange<Severity>?
    /// Only records with these fields.
    public var fields = FieldMatches()
    /// Only lines that match this.
    public var pattern: Pattern?
    /// How many lines around each line that is selected by its contents are returned with it.
    public var context = ContextSize()
    /// The result is cut after this many bytes, possibly in mid-line.
    public var limitBytes: Int?
    /// Only entries after the position that `LogQuery.cursor` returned.
    public var cursor: String?
    /// Whether to continue with new output.
    public var follow: Bool
    /// The character sets of consoles that do not use UTF-8.
    public var charsets = CharsetRules()

    /// The last lines are found backwards from the end, and the beginning of each is stored: 24 bytes per line.
    public static let largestTail = 1_000_000

    /// Whether lines are selected by their contents, so that there may be none for a long time.
    public var filtersByText: Bool { pattern != nil || severities != nil || !fields.isEmpty }

    public init() {
        follow = false
    }
}

/// A number of lines before and after another, in the same stream.
public struct ContextSize: Hashable, Sendable {
    public var before = 0
    public var after = 0

    /// Maximum number of lines in either direction: they are read twice.
    static let largest = 10_000

    public init() {}

    public var isEmpty: Bool { before == 0 && after == 0 }
}
