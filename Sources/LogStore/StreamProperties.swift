// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The fixed properties of a stream, stored in `meta.json`.
public struct StreamProperties: Hashable, Sendable {
    public enum Encoding: String, Sendable {
        /// As received.
        case raw
        /// One record of canonical JSON per line.
        case json
    }

    /// The clock of a stream's times.
    public enum Clock: String, Sendable {
        /// The host's, at receipt.
        case host
        /// The log's own, besides the host's.
        case own
    }

    public var encoding: Encoding
    public var clock: Clock
    /// Whether the source can be read again from a position, so that recovery cuts bytes without an index record.
    public var isReplayable: Bool

    public init(encoding: Encoding = .raw, clock: Clock = .host, isReplayable: Bool = false) {
        self.encoding = encoding
        self.clock = clock
        self.isReplayable = isReplayable
    }

    init(_ metadata: JSON) {
        encoding = metadata["encoding"]?.text.flatMap(Encoding.init) ?? .raw
        clock = metadata["clock"]?.text.flatMap(Clock.init) ?? .host
        isReplayable = metadata["replayable"]?.bool ?? false
    }

    var metadata: [(String, JSON)] {
        [
            ("format", .integer(Int64(StoreLimits.formatVersion))),
            ("encoding", .string(encoding.rawValue)),
            ("clock", .string(clock.rawValue)),
            ("replayable", .bool(isReplayable)),
        ]
    }
}
