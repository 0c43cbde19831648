public import LogModel

/// Which entries are asked for. Everything is optional; what is given must hold together.
public struct Selection: Sendable {
    /// Only these streams; nil: all.
    public var streams: Set<StreamName>?
    /// Only lines received at or after this moment.
    public var since: Timestamp?
    /// Only lines received at or before this moment.
    public var until: Timestamp?
    /// Only the last so many lines of what all else selects, `largestTail` at most.
    public var tail: Int?
    /// Only the first so many lines of what all else selects, `tail` included.
    public var head: Int?
    /// Only one boot: 0 the latest, -1 the one before, …; 1 the oldest kept, 2 the next, ….
    public var boot: Int?
    /// Only lines at least this serious. A line that does not say counts as informational.
    public var severity: Severity?
    /// Only lines in which this is found.
    public var pattern: Pattern?
    /// The answer is cut after so many bytes, in mid-line if need be.
    public var limitBytes: Int?
    /// Only what comes after the place that `LogQuery.cursor` named.
    public var cursor: String?
    /// Whether to go on with what comes later.
    public var follow: Bool

    /// The last lines are found from the end backwards, and where each begins is remembered: 24 bytes a line.
    public static let largestTail = 1_000_000

    /// Whether lines are chosen by what they say, so that there may be none for long.
    public var filtersByText: Bool { pattern != nil || severity != nil }

    /// Everything there is.
    public init() {
        follow = false
    }
}

/// How entries are written.
public enum OutputFormat: String, CaseIterable, Sendable {
    /// The line, made safe for a terminal.
    case text
    /// Time, VM and stream before it, as `journalctl` shows.
    case short
    /// One JSON object a line.
    case json
    /// `key=value` pairs.
    case logfmt
    /// The Kubernetes container runtimes' log format.
    case cri
    /// systemd's Journal Export Format.
    case export
    /// The stored bytes.
    case raw

    /// The format that `word` names; `journal` is another name of `export`.
    public init?(word: String) {
        self.init(rawValue: word == "journal" ? OutputFormat.export.rawValue : word)
    }

    /// The names of all formats, as they stand in a sentence.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// Whether it is made for eyes, on a terminal.
    public var isHuman: Bool { self == .text || self == .short }

    /// Whether it holds the guest's bytes as they are, on which a terminal would act.
    public var isVerbatim: Bool { self == .cri || self == .export || self == .raw }
}

/// How the answer looks.
public struct Rendering: Sendable {
    /// The format.
    public var format: OutputFormat
    /// Whether `text` begins each line with its time.
    public var timestamps: Bool
    /// Whether `text` names VM and stream before each line; nil: when there is more than one stream.
    public var prefix: Bool?
    /// Whether human formats are coloured, by the guest or by severity.
    public var color: Bool
    /// Whether human formats show UTC rather than local time.
    public var utc: Bool
    /// Whether boots are told where they begin and end. What was lost is always told.
    public var boots: Bool

    /// The plain look of `format`.
    public init(format: OutputFormat = .text) {
        self.format = format
        timestamps = false
        prefix = nil
        color = false
        utc = false
        boots = true
    }
}
