import LogModel
import LogStore

/// One stream within a query.
final class Lane {
    /// The stream.
    let stream: StreamID
    /// Its entries.
    let source: LineSource
    fileprivate var head: LogEntry?
    /// Whether it had nothing when last asked.
    fileprivate var isDry = false

    init(stream: StreamID, source: LineSource) {
        self.stream = stream
        self.source = source
    }

    /// The running maximum of time at the head.
    fileprivate var key: Timestamp { source.runningMaximum }
}

/// Several streams in one order: by the running maximum of each stream's time, then by stream, then by position. So a
/// clock that steps back disturbs no stream's own order.
struct StreamMerger {
    /// The streams, in the order that decides between equal times.
    private(set) var lanes: [Lane]
    private var current: Int?
    /// The best head among the others, up to which the current lane goes on without looking.
    private var runnerUp: (key: Timestamp, lane: Int)?

    /// A merger of `lanes`.
    init(_ lanes: [Lane]) {
        self.lanes = lanes
    }

    /// Adds a stream that has come up.
    mutating func add(_ lane: Lane) {
        lanes.append(lane)
        current = nil
    }

    /// What comes next, and of which lane; nil when there is nothing now. It stays next until it is taken.
    mutating func peek() throws -> (entry: LogEntry, lane: Int)? {
        if let current, let entry = try head(current),
            runnerUp.map({ (lanes[current].key, current) < $0 }) ?? true
        {
            return (entry, current)
        }
        return try choose()
    }

    /// Looks again at streams that had nothing.
    mutating func wake() {
        for lane in lanes {
            lane.isDry = false
        }
        current = nil
    }

    /// What was peeked at is done with.
    mutating func take(_ lane: Int) {
        lanes[lane].head = nil
    }

    private func head(_ lane: Int) throws -> LogEntry? {
        let lane = lanes[lane]
        if lane.head == nil, !lane.isDry {
            lane.head = try lane.source.next()
            lane.isDry = lane.head == nil
        }
        return lane.head
    }

    private mutating func choose() throws -> (entry: LogEntry, lane: Int)? {
        var best: (key: Timestamp, lane: Int)?
        // A lane may throw: then the next look chooses anew.
        current = nil
        runnerUp = nil
        for place in lanes.indices {
            guard try head(place) != nil else {
                continue
            }
            let candidate = (key: lanes[place].key, lane: place)
            if best.map({ candidate < $0 }) ?? true {
                runnerUp = best
                best = candidate
            } else if runnerUp.map({ candidate < $0 }) ?? true {
                runnerUp = candidate
            }
        }
        current = best?.lane
        guard let best, let head = lanes[best.lane].head else {
            return nil
        }
        return (head, best.lane)
    }
}
