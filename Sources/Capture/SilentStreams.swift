// SPDX-License-Identifier: Apache-2.0

/// Open streams that are not in the store yet, because there is no text of them. Their folders and files are created one
/// at a time, and seldom while there is text of others: when many machines start at once, nobody's text waits for the files
/// of all.
struct SilentStreams {
    /// While there is text of others one stream is created in this time, in microseconds: it takes one or a few
    /// milliseconds, because its folders must be on disk before its text.
    static let interval: Int64 = 5000

    private var waiting: [StreamSink] = []
    /// How many of `waiting` were taken.
    private var taken = 0
    private var lastTaken: Int64 = 0

    /// Adds a stream, which keeps its boots until it is taken.
    mutating func add(_ sink: StreamSink, at now: Int64) {
        sink.beginSilence(at: now)
        waiting.append(sink)
    }

    var isEmpty: Bool { taken == waiting.count }

    /// Removes and returns the one that waits longest and is still silent, if it is time; `isBusy` while there is text of
    /// others.
    mutating func takeFirst(at now: Int64, isBusy: Bool) -> StreamSink? {
        guard !isBusy || now - lastTaken >= Self.interval else {
            return nil
        }
        lastTaken = now
        while taken < waiting.count {
            let sink = waiting[taken]
            taken += 1
            if sink.isSilent {
                sink.isSilent = false
                return sink
            }
        }
        waiting.removeAll()
        taken = 0
        return nil
    }
}
