// SPDX-License-Identifier: Apache-2.0

import LogStore

/// The options of a stream of records.
public struct RecordOptions: Hashable, Sendable {
    /// Whether the records have times of their own.
    public var clock: StreamProperties.Clock
    /// Whether the source can be read again from a position. Every batch then has a position.
    public var isReplayable: Bool

    public init(clock: StreamProperties.Clock = .own, isReplayable: Bool = true) {
        self.clock = clock
        self.isReplayable = isReplayable
    }

    var properties: StreamProperties {
        StreamProperties(encoding: .json, clock: clock, isReplayable: isReplayable)
    }
}
