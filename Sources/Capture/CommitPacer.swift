/// When a stream's bytes are committed: a busy stream every 4 KiB or 100 ms, the first bytes after 5 ms of quiet at once,
/// as long as that does not happen too often. Times are monotonic microseconds.
struct CommitPacer {
    /// Bytes of one stream that are worth a commit.
    static let coalesceBytes = 4096
    /// Longest that bytes wait for more.
    static let coalesceInterval: Int64 = 100_000
    /// After this much quiet the first bytes do not wait.
    static let quietInterval: Int64 = 5000
    /// Commits a second that need not wait for more bytes: about 1 % of a core.
    static let promptCommits = 2000

    /// Streams with bytes that wait for more, and since when. One that was committed meanwhile may stand here again.
    private var waiting: [(sink: StreamSink, since: Int64)] = []
    private var prompt = RateMeter(RateLimit(rate: promptCommits, burst: promptCommits), now: 0)

    /// Puts an entry behind those of its stream that wait; whether they are to be committed now.
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

    /// The streams that have waited long enough, or `all`; they wait no longer.
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

    /// When the next stream will have waited long enough; nil when none waits.
    var nextDue: Int64? { waiting.first.map { $0.since + Self.coalesceInterval } }

    /// Forgets all that wait.
    mutating func removeAll() {
        waiting.removeAll()
    }
}
