// SPDX-License-Identifier: Apache-2.0

import LogStore

/// Which streams have active pairs that get no more bytes, and are to be sealed: after an hour, and those of more than
/// one block after some seconds, so that what is unsealed after a flood does not depend on how many streams had one.
/// Times are monotonic microseconds.
struct IdlePairs {
    /// The interval between checks of all streams.
    private static let interval: Int64 = 600_000_000

    /// When all streams are checked next; nil: there were no commits since nothing was left to be sealed.
    private var nextCheck: Int64?
    /// Streams with a pair of more than one block, and when it is due.
    private var large: [ObjectIdentifier: (stream: any OpenStream, due: Int64)] = [:]
    /// When the first of them may be due.
    private var nextLarge: Int64?

    /// Notes that a stream may have grown.
    mutating func note(_ stream: any OpenStream, at now: Int64) {
        nextCheck = nextCheck ?? now + Self.interval
        let isLarge = stream.writer.map { $0.activeLength > StoreLimits.blockLimit } ?? false
        if isLarge || !large.isEmpty {
            let due = now + StoreLimits.largePairSealAfter
            large[ObjectIdentifier(stream)] = isLarge ? (stream, due) : nil
            nextLarge = isLarge ? nextLarge ?? due : nextLarge
        }
    }

    /// When there may be idle pairs; nil: not before the next commit.
    var due: Int64? {
        guard let nextCheck, let nextLarge else {
            return nextCheck ?? nextLarge
        }
        return min(nextCheck, nextLarge)
    }

    /// The streams, among `all`, with idle pairs.
    mutating func take(at now: Int64, all: @autoclosure () -> [any OpenStream]) -> [any OpenStream] {
        var idle: [any OpenStream] = []
        if let nextLarge, nextLarge <= now {
            idle = large.values.filter { $0.due <= now }.map(\.stream)
            large = large.filter { $0.value.due > now }
            self.nextLarge = large.values.lazy.map(\.due).min()
        }
        guard let nextCheck, nextCheck <= now else {
            return idle
        }
        self.nextCheck = nil
        for stream in all() where (stream.writer?.activeLength ?? 0) >= StoreLimits.idleSealMinimum {
            if now - stream.lastCommit >= StoreLimits.idleSealAfter {
                idle.append(stream)
            } else {
                self.nextCheck = now + Self.interval
            }
        }
        return idle
    }
}
