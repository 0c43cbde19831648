public import LogModel
public import LogStore

/// Waits until a VM says something: looks at what is there, then at what comes.
///
/// A line counts as soon as it matches, its LF or not: a prompt such as `login: ` has none. The VM need not be there
/// yet. Used from one thread at a time.
public final class PatternWait: @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

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

        /// The line as text.
        public var text: String { String(decoding: line, as: UTF8.self) }
    }

    private let store: Store
    private let word: String
    private let stream: StreamName?
    private let since: Timestamp?
    private let pattern: Pattern
    private let matcher: PatternMatcher
    private let filter: LineFilter
    private var root: GrowingFolder
    private var window: BootWindow?
    private var scope: StreamScope?
    private var watched: [WatchedStream] = []
    private let turn: ReadTurn?

    /// A stream that is looked at.
    private struct WatchedStream {
        let stream: StreamID
        let source: LineSource
        /// Where the unfinished line ended when it was looked at.
        var seen: UInt64 = 0
        var match: Match?
    }

    /// Whether a turn ended the last poll before all there is was looked at.
    private(set) var isInterrupted = false
    /// Why there is no VM to look at yet.
    private var absence: QueryError?

    /// Waits for a line of the VM that `word` names, of one stream or of any, in which `pattern` is found and which was
    /// received at or after `since`. Without `since` the latest boot counts from its beginning, so that who asks late
    /// gets an answer too. `turn` is for a wait that shares its thread with others.
    public init(
        store: Store,
        vm word: String,
        stream: StreamName?,
        pattern: Pattern,
        since: Timestamp?,
        turn: ReadTurn? = nil
    ) {
        self.turn = turn
        self.store = store
        self.word = word
        self.stream = stream
        self.since = since
        self.pattern = pattern
        matcher = PatternMatcher(pattern)
        filter = LineFilter(since: since, pattern: matcher, turn: turn)
        root = GrowingFolder("", in: store)
    }

    /// Folders in which a change may bring a match, named from the store's root, that were not handed over before.
    func takeNewFolders() -> [String] {
        scope?.takeNewFolders() ?? root.takeNewFolders()
    }

    /// What comes of it when nobody waits any longer: nil, or an error when there is no such VM.
    func withoutMatch() throws -> Match? {
        if let absence {
            throw absence
        }
        return nil
    }

    /// The first match, the earliest when several streams have one; nil when there is none yet. To be asked again
    /// after a commit, or at once when it `isInterrupted`.
    public func poll() throws -> Match? {
        turn?.begin()
        isInterrupted = false
        try find()
        try open()
        do {
            for place in watched.indices where watched[place].match == nil {
                watched[place].match = try match(in: place)
            }
        } catch is ReadTurn.Expired {
            isInterrupted = true
            return nil
        }
        let first = watched.compactMap(\.match).min { $0.time < $1.time }
        if first == nil, pattern.isExhausted {
            throw QueryError.tooCostly(pattern)
        }
        return first
    }

    /// Finds the VM, when there are any that were not asked about before.
    private func find() throws {
        guard scope == nil else {
            return
        }
        let arrived = try root.nextVMs()
        if arrived.isEmpty, absence != nil {
            return
        }
        let vm: Store.VM
        do {
            vm = try VMLookup.resolve(word, in: store, previousInstance: false)
        } catch {
            guard error.code == .noSuchVM else {
                throw error
            }
            absence = error
            return
        }
        guard vm.ended == nil else {
            absence = QueryError(.noSuchVM, "\(VMLookup.quoted(word)) was deleted, and no other of its name came")
            return
        }
        absence = nil
        window = since == nil ? try BootWindow(0, of: vm, in: store) : nil
        scope = StreamScope(store: store, vms: [vm], wanted: stream.map { [$0] })
    }

    private func open() throws {
        for found in try scope?.refresh() ?? [] {
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
            watched.append(WatchedStream(stream: found.stream, source: source))
        }
    }

    private func match(in place: Int) throws -> Match? {
        let (stream, source, seen) = (watched[place].stream, watched[place].source, watched[place].seen)
        while let entry = try source.next() {
            if case .line(let line) = entry {
                return Self.match(line, stream)
            }
        }
        // The end of a line that is still to come, unless it was looked at before.
        guard let line = source.partial, line.end > seen else {
            return nil
        }
        watched[place].seen = line.end
        return matcher.matches(line.content) ? Self.match(line, stream) : nil
    }

    private static func match(_ line: Line, _ stream: StreamID) -> Match {
        Match(stream: stream, offset: line.start.offset, time: line.time, line: Array(line.content))
    }
}
