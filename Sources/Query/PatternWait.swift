// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
public import SystemIO

/// Waits until a VM prints a match: searches the stored output, then new output.
///
/// A line matches as soon as it contains the pattern, with or without its LF: a prompt such as `login: ` has none. The
/// VM need not exist yet. Used from one thread at a time.
public final class PatternWait: FollowedSource, @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

    /// The matching line.
    public struct Match: Hashable, Sendable {
        public var stream: StreamID
        public var offset: UInt64
        public var time: Timestamp
        /// The line without its end, as displayed.
        public var line: [UInt8]

        public var text: String { String(decoding: line, as: UTF8.self) }
    }

    private let store: Store
    private let word: String
    private let stream: StreamName?
    private let since: Timestamp?
    private let charsets: CharsetRules
    private let pattern: Pattern
    private let matcher: PatternMatcher
    private let filter: LineFilter
    private var root: GrowingFolder
    private var window: BootWindow?
    private var scope: StreamScope?
    private var watched: [WatchedStream] = []
    private let turn: ReadTurn?
    private let clock: any HostClock
    private let readers = ReaderGroup()

    /// A stream that is searched.
    private struct WatchedStream {
        let stream: StreamID
        let source: LineSource
        /// The end of the unfinished line when it was last searched.
        var seen: UInt64 = 0
        var match: Match?
    }

    /// Whether the last search ended with its turn before everything was searched.
    private(set) var isInterrupted = false
    /// Why there is no VM yet.
    private var absence: QueryError?
    /// The folder of the VM of that name that was deleted, which may begin again.
    private var deletedFolder: String?
    private var newFolders: [String] = []

    /// Waits for a line of the VM `word`, in one stream or in any, that matches `pattern` and was received at or after
    /// `since`. Without `since` the latest boot is searched from its beginning, so that a late request is answered too;
    /// one that has announced its end on a console that is still open, from that announcement on, so that it does not
    /// answer for the next.
    /// `turn` is for a wait that shares its thread with others.
    public init(
        store: Store,
        vm word: String,
        stream: StreamName?,
        pattern: Pattern,
        since: Timestamp?,
        charsets: CharsetRules = CharsetRules(),
        turn: ReadTurn? = nil,
        clock: any HostClock = SystemClock()
    ) {
        self.charsets = charsets
        self.turn = turn
        self.clock = clock
        self.store = store
        self.word = word
        self.stream = stream
        self.since = since
        self.pattern = pattern
        matcher = PatternMatcher(pattern)
        filter = LineFilter(since: since, pattern: matcher, turn: turn)
        root = GrowingFolder("", in: store)
    }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        return newFolders + root.takeNewFolders() + (scope?.takeNewFolders() ?? [])
    }

    /// It never is: output may follow, and the VM may still appear.
    var isFinished: Bool { false }

    /// Does nothing: each search covers all streams of the one VM.
    func note(_ changes: StoreChanges) {}

    /// The result when the wait ends without a match: nil, or an error when there is no such VM.
    func withoutMatch() throws -> Match? {
        if let absence {
            throw absence
        }
        return nil
    }

    /// The first match, the earliest when several streams have one; nil when there is none yet. Call again after a
    /// commit, or at once when it `isInterrupted`.
    func next() throws -> Match? {
        turn?.begin()
        isInterrupted = false
        try find()
        if let match = try search() {
            return match
        }
        // Another VM may have taken the name of one that was deleted meanwhile.
        if !isInterrupted, forgetDeleted() {
            try find()
            return try search()
        }
        return nil
    }

    /// The first match in what was not searched yet.
    private func search() throws -> Match? {
        try open()
        do {
            for index in watched.indices where watched[index].match == nil {
                watched[index].match = try match(in: index)
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

    /// Forgets the VM if it was deleted; returns whether it was.
    private func forgetDeleted() -> Bool {
        guard let vm = scope?.vms.first, store.vm(in: vm.directory).map({ $0.ended != nil }) ?? true else {
            return false
        }
        (scope, window, watched) = (nil, nil, [])
        return true
    }

    /// Finds the VM among those that have appeared since the last call.
    private func find() throws {
        guard scope == nil else {
            return
        }
        let arrived = try root.nextVMs()
        let hasBegunAgain = deletedFolder.map { store.vm(in: $0).map { $0.ended == nil } ?? false } ?? false
        if arrived.isEmpty, absence != nil, !hasBegunAgain {
            return
        }
        let vm: Store.VM
        do {
            vm = try VMLookup.resolve(word, in: store, previousInstance: false)
        } catch {
            // No VM will be named by a pattern.
            guard error.code == .noSuchVM, !ShellPattern.isPattern(word) else {
                throw error
            }
            absence = error
            return
        }
        guard vm.ended == nil else {
            if deletedFolder != vm.directory {
                deletedFolder = vm.directory
                newFolders.append(vm.directory)
            }
            absence = QueryError(
                .noSuchVM,
                "\(VMLookup.quoted(word)) was deleted, and no other VM of that name has appeared"
            )
            return
        }
        (absence, deletedFolder) = (nil, nil)
        window = since == nil ? try BootWindow(0, of: vm, in: store) : nil
        if let open = window, open.end == nil {
            let reader = store.reader(of: open.stream, group: readers)
            window?.end = try RecentEnd.find(
                reader,
                store.properties(of: open.stream),
                from: open.start,
                now: clock.now
            )
        }
        scope = StreamScope(store: store, vms: [vm], wanted: stream.map { [$0] })
    }

    private func open() throws {
        let identity = scope?.vms.first?.identity ?? VMIdentity(name: word)
        for found in try scope?.refresh() ?? [] {
            let reader = store.reader(of: found.stream, group: readers)
            let properties = store.properties(of: found.stream)
            let isRecording = window?.stream == found.stream
            let begun = window?.end?.time ?? window?.since ?? .distantPast
            let filter = isRecording ? filter : filter.narrowed(since: begun, until: nil)
            let start = window?.end.map { Cursor(offset: $0.position) } ?? window?.start ?? .start
            let source = try LineSource(
                reader,
                properties,
                plan: BlockPlan(reader, clock: properties.clock, since: filter.since),
                filter: filter,
                charset: charsets.charset(of: identity),
                from: isRecording ? start : .start,
                isFollowing: true
            )
            watched.append(WatchedStream(stream: found.stream, source: source))
        }
    }

    private func match(in index: Int) throws -> Match? {
        let (stream, source, seen) = (watched[index].stream, watched[index].source, watched[index].seen)
        while let entry = try source.next() {
            if case .line(let line) = entry {
                return Self.match(line, stream)
            }
        }
        // The unfinished line, unless it was searched before.
        guard let line = source.unfinished, line.end > seen else {
            return nil
        }
        watched[index].seen = line.end
        return DecodedLine(line).withText(matcher.matches) ? Self.match(line, stream) : nil
    }

    private static func match(_ line: Line, _ stream: StreamID) -> Match {
        Match(
            stream: stream,
            offset: line.start.offset,
            time: line.time,
            line: DecodedLine(line).withText { Array($0) }
        )
    }
}
