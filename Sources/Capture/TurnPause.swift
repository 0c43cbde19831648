// SPDX-License-Identifier: Apache-2.0

/// Decides how long the writer waits between two turns while a stream is busy: its bytes are then written in larger
/// pieces, and shard and writer do not wake each other for each of them. A stream that was quiet does not wait.
struct TurnPause {
    /// The pause, in microseconds: short beside the interval at which people, and programs that watch a plain file, look.
    static let length: UInt32 = 500
    /// A turn with fewer bytes is followed by no pause: a short answer that a client waits for is not delayed.
    static let leastBytes: UInt64 = 1 << 10
    /// A turn with more bytes is followed by no pause either: a pause would not help.
    static let mostBytes: UInt64 = 128 << 10
    /// The turns of a busy stream follow one another within this, in microseconds.
    static let interval: Int64 = 2000

    private var lastBusyTurn: Int64?

    /// Notes a turn that took that many bytes from the rings; returns the microseconds to pause after it, if any.
    mutating func pause(after bytes: UInt64, at now: Int64) -> UInt32? {
        guard bytes >= Self.leastBytes else {
            return nil
        }
        let wasBusy = lastBusyTurn.map { now - $0 <= Self.interval } ?? false
        lastBusyTurn = now
        return wasBusy && bytes < Self.mostBytes ? Self.length : nil
    }
}
