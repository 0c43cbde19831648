// SPDX-License-Identifier: Apache-2.0

/// Decides how long a shard waits between two turns while a guest writes small pieces quickly: one read then returns many
/// of them. A stream that was quiet does not wait, nor does one that is read in large pieces.
struct ReadPause {
    /// The pause, in microseconds. A pipe or socket holds what a guest writes meanwhile at up to 100 MB/s.
    static let length: UInt32 = 500
    /// A turn whose reads return less than this on average has small pieces; a read costs little beside more bytes.
    static let smallRead = 2 << 10
    /// The turns of quick small pieces follow one another within this, in microseconds.
    static let interval: Int64 = 100
    /// So many of these turns, one after another, are followed by a pause.
    static let turns = 4

    private var quickTurns = 0
    private var lastTurn: Int64?

    /// Notes a turn in which that many reads, one at least, returned `bytes`; returns the microseconds to pause after it,
    /// if any.
    mutating func pause(after bytes: Int, inReads reads: Int, at now: Int64) -> UInt32? {
        let isQuick = lastTurn.map { now - $0 <= Self.interval } ?? false
        lastTurn = now
        guard isQuick, bytes < reads * Self.smallRead else {
            quickTurns = 0
            return nil
        }
        quickTurns += 1
        guard quickTurns == Self.turns else {
            return nil
        }
        quickTurns = 0
        return Self.length
    }
}
