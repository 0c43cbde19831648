public import LogModel
public import LogStore

/// Waits until a VM says something: looks at what is there, then at what comes.
///
/// A line counts as soon as it matches, its LF or not: a prompt such as `login: ` has none. Used from one thread at a
/// time.
public final class PatternWait {
    /// The line that matched.
    public struct Match: Hashable, Sendable {
        /// Where it was said.
        public var stream: StreamID
        /// Position of its first byte.
        public var offset: UInt64
        /// When it was received.
        public var time: Timestamp
        /// The line without its end, as stored.
        public var line: [UInt8]
    }

    private let store: Store
    private let matcher: PatternMatcher
    private let filter: LineFilter
    private let window: BootWindow?
    private var scope: StreamScope
    private var lanes: [(stream: StreamID, source: LineSource, seen: UInt64)] = []

    /// Waits for a line of `vm`, of one stream or of any, in which `pattern` is found and which was received at or
    /// after `since`. Without `since` the latest boot counts from its beginning, so that who asks late gets an answer
    /// too.
    public init(store: Store, vm: Store.VM, stream: StreamName?, pattern: Pattern, since: Timestamp?) throws {
        self.store = store
        matcher = PatternMatcher(pattern)
        window = since == nil ? try BootWindow(0, of: vm, in: store) : nil
        filter = LineFilter(since: since, pattern: matcher)
        scope = StreamScope(store: store, vms: [vm], wanted: stream.map { [$0] })
        try open()
    }

    /// The streams looked at, to be listened to; grows when the VM gets a new one.
    public var streams: [StreamID] { lanes.map(\.stream) }

    /// The first match, the earliest when several streams have one; nil when there is none yet. To be asked again
    /// after a commit.
    public func poll() throws -> Match? {
        try open()
        var first: Match?
        for place in lanes.indices {
            if let match = try match(in: place), first.map({ match.time < $0.time }) ?? true {
                first = match
            }
        }
        return first
    }

    private func open() throws {
        for found in try scope.refresh() {
            let reader = store.reader(of: found.stream)
            let properties = store.properties(of: found.stream)
            let isConsole = window?.console == found.stream
            let filter = isConsole ? filter : filter.narrowed(since: window?.since ?? .distantPast, until: nil)
            let source = try LineSource(
                reader,
                properties,
                plan: BlockPlan(reader, clock: properties.clock, since: filter.since),
                filter: filter,
                from: isConsole ? window?.place ?? .start : .start,
                isFollowing: true
            )
            lanes.append((found.stream, source, 0))
        }
    }

    private func match(in place: Int) throws -> Match? {
        let (stream, source, seen) = lanes[place]
        while let entry = try source.next() {
            if case .line(let line) = entry {
                return Self.match(line, stream)
            }
        }
        // The end of a line that is still to come, unless it was looked at before.
        guard let line = source.partial, line.end > seen else {
            return nil
        }
        lanes[place].seen = line.end
        return matcher.matches(line.content) ? Self.match(line, stream) : nil
    }

    private static func match(_ line: Line, _ stream: StreamID) -> Match {
        Match(stream: stream, offset: line.start.offset, time: line.time, line: Array(line.content))
    }
}
