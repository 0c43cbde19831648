// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Statistics of one stream since it was opened, or of all streams since the daemon's start: written by the shards and
/// the writer, read by any thread.
public final class StreamStatistics: Sendable {
    private let receivedCount = Atomic<UInt64>(0)
    private let storedCount = Atomic<UInt64>(0)
    private let droppedCount = Atomic<UInt64>(0)
    /// Counts the same bytes.
    private let total: StreamStatistics?

    init(partOf total: StreamStatistics? = nil) {
        self.total = total
    }

    public var received: UInt64 { receivedCount.load(ordering: .relaxed) }
    public var stored: UInt64 { storedCount.load(ordering: .relaxed) }
    /// Bytes counted in gaps.
    public var dropped: UInt64 { droppedCount.load(ordering: .relaxed) }

    func receive(_ bytes: Int) {
        receivedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        total?.receive(bytes)
    }

    func store(_ bytes: Int) {
        storedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        total?.store(bytes)
    }

    func drop(_ bytes: Int) {
        droppedCount.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        total?.drop(bytes)
    }
}
