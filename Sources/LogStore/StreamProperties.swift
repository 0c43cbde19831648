import LogModel

/// What is fixed for a stream when it is made; rests in `meta.json`.
public struct StreamProperties: Hashable, Sendable {
    /// How the bytes are to be read.
    public enum Encoding: String, Sendable {
        /// As they came.
        case raw
        /// One record of canonical JSON per line.
        case json
    }

    /// Whose clock the times are from.
    public enum Clock: String, Sendable {
        /// The host's, at receipt.
        case host
        /// The log's own, beside the host's.
        case own
    }

    /// How the bytes are to be read.
    public var encoding: Encoding
    /// Whose clock the times are from.
    public var clock: Clock
    /// Whether the source can be read again from a position, so that bytes without an index record are cut at
    /// recovery rather than kept.
    public var isReplayable: Bool

    /// Properties from their parts; a console's by default.
    public init(encoding: Encoding = .raw, clock: Clock = .host, isReplayable: Bool = false) {
        self.encoding = encoding
        self.clock = clock
        self.isReplayable = isReplayable
    }

    init(_ facts: JSON) {
        encoding = facts["encoding"]?.text.flatMap(Encoding.init) ?? .raw
        clock = facts["clock"]?.text.flatMap(Clock.init) ?? .host
        isReplayable = facts["replayable"]?.bool ?? false
    }

    /// The members of `meta.json`.
    var facts: [(String, JSON)] {
        [
            ("format", .integer(Int64(StoreLimits.formatVersion))),
            ("encoding", .string(encoding.rawValue)),
            ("clock", .string(clock.rawValue)),
            ("replayable", .bool(isReplayable)),
        ]
    }
}
