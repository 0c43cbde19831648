// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The beginning of a new connection to the same machine, while its text may be a replay.
///
/// The text is in memory only, the absence also in the stream's slot: a process that is killed leaves the marker to the
/// next one, and it stands for the text too.
struct ReplayWatch {
    /// The marker of what is missing before the text, unless the text is a replay: that has all of it.
    let marker: RecordDetail
    /// What the marker records.
    let absence: ConsoleBoundary
    let time: Timestamp
    /// nil before the first byte.
    var filter: ReplayFilter?
    /// Monotonic time from which undecided text is not treated as a replay.
    var deadline: Int64
}

// Text that a VMM replays after the stream was not read for a while.
extension StreamSink {
    /// A replay has no pause as long as this, in microseconds.
    private static let replayPause: Int64 = 1_000_000

    /// Begins to watch for a replay after the `absence` of a source that may replay; false when it does not.
    func watchReplay(_ absence: RecordDetail, at time: Timestamp) -> Bool {
        guard options.mayReplay, let reason = absence.gap?.reason, [.daemonAway, .disconnected].contains(reason),
            absence.gap?.bytes == nil
        else {
            return false
        }
        replay = ReplayWatch(
            marker: absence,
            absence: .absence(reason),
            time: time,
            deadline: lastCommit + Self.replayPause
        )
        return true
    }

    /// How many of the first bytes of `text` are a replay; nil as long as that is undecided: the watch keeps the text then.
    func replayedBytes(of text: UnsafeRawBufferPointer, at now: Int64) -> Int? {
        if let replay, now >= replay.deadline {
            endReplay(at: now)
        }
        guard var watch = replay, !text.isEmpty else {
            return 0
        }
        var filter = watch.filter ?? ReplayFilter(stored: storedEnd())
        switch filter.compare(text) {
        case .undecided:
            (watch.filter, watch.deadline) = (filter, now + Self.replayPause)
            replay = watch
            return nil
        case .replay(let count):
            replay = nil
            opener.replayed(key, bytes: filter.given.count + count)
            return count
        case .new:
            watch.filter = filter
            replay = watch
            endReplay(at: now)
            return 0
        }
    }

    /// Ends the watch for a replay: there was none, so what is missing is recorded, and all text since is stored.
    func endReplay(at now: Int64) {
        guard let watch = replay else {
            return
        }
        let isBeforeText = watch.filter?.given.isEmpty == false
        if !mark(watch.marker, watch.time, now, isBeforeText: isBeforeText) {
            keep(watch.absence)
        }
        replay = nil
        let given = watch.filter.map { Array($0.given) } ?? []
        given.withUnsafeBytes { store($0, time: watch.time.microseconds, at: now) }
    }

    /// The end of the stored text; empty when it cannot be read.
    private func storedEnd() -> [UInt8] {
        guard let writer else {
            return []
        }
        let reader = StreamReader(path: writer.path)
        return (try? reader.text(before: writer.nextOffset, maximum: ReplayFilter.window)) ?? []
    }
}
