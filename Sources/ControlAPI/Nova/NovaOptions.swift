/// How the part that OpenStack's clients use is set up.
public struct NovaOptions: Hashable, Sendable {
    /// Where clients reach the serial consoles, without `?token=`; nil: where they have reached us.
    public var consoleURL: String?
    /// How long after it was asked for a serial console's address lets somebody in, in microseconds.
    public var consoleLife: Int64 = 600_000_000
    /// Whose rules the console output follows.
    public var output = NovaOutputRules.corrected

    /// The standard options; the life is that of nova's own tokens.
    public init() {}
}

/// Whose rules a console's output follows.
public enum NovaOutputRules: String, CaseIterable, Sendable {
    /// N lines are the last N; -1 is all; UTF-8 is kept; escape sequences go whole; what was lost is told.
    case corrected = "sound"
    /// nova's, with what is odd in them: N lines of which the last may be the empty one behind the last LF, -1 is all
    /// but the first, a U+FFFD for each byte that is not ASCII, control characters removed but not what belongs to
    /// them, at most 100 KiB.
    case nova
}
