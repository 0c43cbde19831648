// SPDX-License-Identifier: Apache-2.0

/// Decides when a stream's bytes are committed: a busy stream every 4 KiB or 100 ms, the first bytes after 5 ms of
/// quiet at once, up to a rate limit. Times are monotonic microseconds.
struct CommitPacer {
    /// Bytes of one stream that are committed at once.
    static let coalesceBytes = 4096
    /// The maximum time that bytes wait for more.
    static let coalesceInterval: Int64 = 100_000
    /// After this much quiet the first bytes do not wait.
    static let quietInterval: Int64 = 5000
    /// Commits per second that do not wait for more bytes: about 1 % of a core.
    static let promptCommits = 2000

    /// Streams with bytes that wait for more, and since when. A stream may be listed again after it was committed.
    private var waiting: [(sink: StreamSink, since: Int64)] = []
    private var prompt = RateMeter(RateLimit(rate: promptCommits, burst: promptCommits), now: 0)

    /// Queues an entry of a stream; returns whether the stream is to be committed now.
    mutating func enqueue(
        _ entry: InflightRing.Entry,
        to sink: StreamSink,
        ring: InflightRing,
        at now: Int64
    ) -> Bool {
        let wasIdle = !sink.hasPending
        let isPrompt = entry.kind != .data || now - sink.lastCommit >= Self.quietInterval
        sink.enqueue(entry, ring: ring, at: now)
        if sink.pendingBytes >= Self.coalesceBytes || (isPrompt && prompt.allows(at: now)) {
            prompt.spend(isPrompt ? 1 : 0)
            return true
        }
        if wasIdle {
            waiting.append((sink, now))
        }
        return false
    }

    /// Removes and returns the streams that have waited long enough, or `all`.
    mutating func takeDue(at now: Int64, all: Bool) -> [StreamSink] {
        var due: [StreamSink] = []
        var count = 0
        for (sink, since) in waiting {
            let isStale = !sink.hasPending || sink.pendingSince > since
            guard all || isStale || since + Self.coalesceInterval <= now else {
                break
            }
            if sink.hasPending, all || sink.pendingSince == since {
                due.append(sink)
            }
            count += 1
        }
        waiting.removeFirst(count)
        return due
    }

    /// When the next stream is due; nil when none waits.
    var nextDue: Int64? { waiting.first.map { $0.since + Self.coalesceInterval } }

    mutating func removeAll() {
        waiting.removeAll()
    }
}
