// SPDX-License-Identifier: Apache-2.0

public import LogStore

/// The options of a stream that a `RecordIntake` feeds.
public struct RecordOptions: Hashable, Sendable {
    /// What the stream contains: records in JSON, or a console's bytes as they came.
    public var encoding = StreamProperties.Encoding.json
    /// Whether the records have times of their own.
    public var clock: StreamProperties.Clock
    /// Whether the source can be read again from a position. Every batch then has a position.
    public var isReplayable: Bool

    public init(clock: StreamProperties.Clock = .own, isReplayable: Bool = true) {
        self.clock = clock
        self.isReplayable = isReplayable
    }

    /// A console's bytes, from a source that can be read again. Their times are the host's.
    public static let console: RecordOptions = {
        var options = RecordOptions(clock: .host)
        options.encoding = .raw
        return options
    }()

    var properties: StreamProperties {
        StreamProperties(encoding: encoding, clock: clock, isReplayable: isReplayable)
    }
}
