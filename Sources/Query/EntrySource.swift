// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// A stream that is read.
public struct EntryStream: Sendable {
    public var id: StreamID
    /// Its VM.
    public var vm: Store.VM
}

/// The selected entries of some VMs' streams, merged by time: lines, and events between them. Every reader of the
/// store stands on it. Used from one thread at a time.
///
/// It is read until there is nothing now; a follower then waits for changes, passes them to `note`, and reads again.
/// `cursor` is where to resume.
public final class EntrySource: @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

    let store: Store
    let selection: Selection
    let isFollowing: Bool
    let filter: LineFilter
    let readers: ReaderGroup
    /// Of the lines around matches: what is read ahead for the search is not disturbed.
    let contextReaders = ReaderGroup()
    let resumed: QueryCursor
    /// The requested boot, by the VM's folder.
    private(set) var windows: [String: BootWindow] = [:]
    /// Why each of the other VMs was left out: it has no such boot.
    private(set) var withoutBoot: [QueryError] = []
    private let turn: ReadTurn?
    private var scope: StreamScope
    private var merger: StreamMerger
    /// The streams read. More are added at the end when they appear.
    public private(set) var streams: [EntryStream] = []
    /// The indexes of the streams in the merger.
    private var inputs: [StreamID: Int] = [:]
    /// What may have changed since the store was last read to its end.
    private var changes = StoreChanges.nothing
    /// The inputs whose cursors have moved since `takeMovedCursor`.
    private var moved: Set<Int> = []

    /// Whether the store was read to its end and nothing has changed since.
    public private(set) var isDrained = false
    /// The followed VMs that were deleted before the store was last read to its end, and were not taken.
    private var deleted: [Store.VM] = []

    /// The entries of `vms` in `store`; `now` is the time of the request. A follower continues with VMs that appear
    /// later: of all VMs with all, of others with the next ones of their names and those that match `pattern`; in turns also
    /// with those that have ended before they were noticed. With `turn`, reading may be interrupted.
    ///
    /// Throws `QueryError` when the request is not valid for these VMs, `SystemError` when the store cannot be read.
    public init(
        store: Store,
        vms: [Store.VM],
        areAll: Bool = false,
        pattern: VMPattern = VMPattern([]),
        selection: Selection,
        now: Timestamp,
        order: EntryOrder = .time,
        turn: ReadTurn? = nil
    ) throws {
        self.turn = turn
        merger = StreamMerger([], order: order)
        self.store = store
        self.selection = selection
        var vms = vms
        if let boot = selection.boot {
            (windows, vms, withoutBoot) = try Self.windows(of: boot, vms, store)
        }
        // Everything received before a past moment is there, and everything of a boot that another has followed. VMs that
        // appear later have no earlier boot.
        let isPast = windows.isEmpty ? selection.boot ?? 0 != 0 : windows.values.allSatisfy { $0.bound != nil }
        isFollowing = selection.follow && !isPast && selection.until.map { $0 >= now } ?? true
        filter = LineFilter(
            since: selection.since,
            until: selection.until,
            severities: selection.severities,
            fields: selection.fields,
            pattern: selection.pattern.map(PatternMatcher.init),
            turn: turn
        )
        // A search reads far more than it returns.
        readers = ReaderGroup(readsAhead: filter.filtersByText && order == .time)
        resumed = try selection.cursor.map { word throws(QueryError) in try QueryCursor(word) } ?? QueryCursor()
        // Future output belongs to the latest boot.
        let isOpen = isFollowing && (selection.boot ?? 0) == 0
        let future: StreamScope.Future =
            !isOpen ? .none : !areAll ? .named(pattern) : order == .turns ? .everything : .all
        scope = StreamScope(store: store, vms: vms, wanted: selection.streams, future: future)
        deleted = scope.takeDeleted()
        let found = try scope.refresh()
        try Self.check(found, scope, selection, vms)
        // Of a pattern's VMs those of the cursor may be gone.
        if !areAll, pattern.words.isEmpty {
            try Self.check(resumed, vms)
        }
        // An output, which reads in turns, resumes with what the store has.
        if order == .time {
            try Self.check(resumed, found, scope, store)
        }
        try open(found, tail: selection.tail)
    }

    /// The VMs that have the boot, where it is, and why the others are left out; throws when none has it.
    private static func windows(
        of boot: Int,
        _ vms: [Store.VM],
        _ store: Store
    ) throws -> (windows: [String: BootWindow], vms: [Store.VM], missing: [QueryError]) {
        var windows: [String: BootWindow] = [:]
        var missing: [QueryError] = []
        let found = try vms.filter { vm in
            do {
                windows[vm.directory] = try BootWindow(boot, of: vm, in: store)
                return true
            } catch let error as QueryError where error.code == .noSuchBoot {
                missing.append(error)
                return false
            }
        }
        if let last = missing.last, found.isEmpty {
            throw last
        }
        return (windows, found, missing)
    }

    /// The VMs read.
    var vms: [Store.VM] { scope.vms }

    /// Whether no more entries can follow, once everything was read.
    var allEnded: Bool {
        isDrained && selection.until != nil && !merger.inputs.isEmpty && merger.inputs.allSatisfy(\.source.isFinished)
    }

    // MARK: - Reading

    /// The next entry and the index of its stream; nil when there is none now. The previous entry counts as processed.
    /// A line's bytes are valid until the next call.
    ///
    /// Throws `ReadTurn.Expired` when the turn has expired, and the same entry is next in the next one.
    public func next() throws -> (entry: LogEntry, stream: Int)? {
        guard let next = try peek() else {
            return nil
        }
        consume(next.stream)
        return next
    }

    /// The next entry, which stays next until it is consumed.
    func peek() throws -> (entry: LogEntry, stream: Int)? {
        if isDrained {
            guard isFollowing else {
                return nil
            }
            try refresh()
            isDrained = false
        }
        let next = try merger.peek()
        if let pattern = selection.pattern, pattern.isExhausted {
            throw QueryError.tooCostly(pattern)
        }
        guard let next else {
            isDrained = true
            return nil
        }
        return (next.entry, next.input)
    }

    /// Marks the next entry, of that stream, as processed.
    func consume(_ stream: Int) {
        merger.consume(stream)
        markProcessed(stream)
    }

    /// Returns entries of these streams only from now on. The cursor stays where it is in the others.
    func restrict(to streams: Set<Int>) {
        merger.restrict(to: streams)
    }

    private func markProcessed(_ stream: Int) {
        merger.inputs[stream].source.markProcessed()
        moved.insert(stream)
    }

    /// An incomplete line at the end of a stream that has been silent since `moment`, and its stream, when everything was
    /// read; it counts as processed.
    func takeUnfinished(silentSince moment: Timestamp) -> (line: Line, stream: Int)? {
        takeUnfinished(ofFirst: merger.inputs.indices) { !$0.isSpeaking(at: moment) }
    }

    /// An incomplete line of which nothing was received since `moment`, and its stream, when everything was read; it
    /// counts as processed, and its rest will be a line of its own. Its bytes are valid until the next call. Looks at
    /// every stream.
    public func takeUnfinished(since moment: Timestamp) -> (line: Line, stream: Int)? {
        takeUnfinished(ofFirst: merger.inputs.indices) { $0.isUnfinished(since: moment) }
    }

    /// Whether a stream ends with an incomplete line. Looks at every stream.
    public var hasUnfinished: Bool { merger.inputs.contains { $0.source.isUnfinished(since: nil) } }

    /// The incomplete line at the end of one stream, whenever it was received; otherwise as `takeUnfinished(since:)`.
    public func takeUnfinished(of stream: StreamID) -> (line: Line, stream: Int)? {
        guard let input = inputs[stream] else {
            return nil
        }
        return takeUnfinished(ofFirst: [input]) { $0.isUnfinished(since: nil) }
    }

    /// The incomplete line of the first of those streams that is wanted and has one, when everything was read; it counts
    /// as processed.
    private func takeUnfinished(
        ofFirst streams: some Sequence<Int>,
        where isWanted: (any StreamEntries) -> Bool
    ) -> (line: Line, stream: Int)? {
        guard isFollowing, isDrained else {
            return nil
        }
        for stream in streams where isWanted(merger.inputs[stream].source) {
            if let line = merger.inputs[stream].source.takeUnfinished() {
                markProcessed(stream)
                return (line, stream)
            }
        }
        return nil
    }

    /// Whether `stream` was read up to `offset`, also where nothing was selected.
    public func hasRead(_ stream: StreamID, to offset: UInt64) -> Bool {
        inputs[stream].map { merger.inputs[$0].source.readEnd >= offset } ?? false
    }

    /// Whether a stream has received a part of a line just after `moment`, whose rest may come at once.
    func isSpeaking(at moment: Timestamp) -> Bool {
        isDrained && merger.inputs.contains { $0.source.isSpeaking(at: moment) }
    }

    // MARK: - Following

    /// Notes what has changed in the store: `next` looks for more only there.
    public func note(_ new: StoreChanges) {
        changes = changes.union(new)
    }

    /// The followed VMs that were deleted before the store was last read to its end and not returned before.
    func takeDeleted() -> [Store.VM] {
        defer { deleted = [] }
        return deleted
    }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    func takeNewFolders() -> [String] { scope.takeNewFolders() }

    /// Looks for what has come since the store was read to its end.
    private func refresh() throws {
        defer { changes = .nothing }
        if case .streams(let streams) = changes {
            let isNew = streams.contains { inputs[$0] == nil && selection.streams?.contains($0.stream) ?? true }
            guard isNew else {
                return streams.compactMap { inputs[$0] }.sorted().forEach { merger.wake($0) }
            }
        }
        deleted += scope.takeDeleted()
        try open(scope.refresh(), tail: nil)
        merger.wake()
    }

    // MARK: - Cursors

    /// Where to resume: after the entries taken.
    public var cursor: QueryCursor {
        var cursor = resumed
        for input in merger.inputs {
            cursor.positions[input.stream] = input.source.cursor
        }
        return cursor
    }

    /// The part of `cursor` that has moved since the last call: merged into an earlier `cursor` it resumes after the
    /// last entry. Its size does not grow with the number of streams that are read.
    public func takeMovedCursor() -> QueryCursor {
        var cursor = QueryCursor()
        for input in moved {
            cursor.positions[merger.inputs[input].stream] = merger.inputs[input].source.cursor
        }
        moved.removeAll()
        return cursor
    }

    // MARK: - Streams

    /// Opens streams that are new, at their last `tail` lines when given.
    private func open(_ found: [StreamScope.Found], tail: Int?) throws {
        let isMerged = merger.inputs.count + found.count > 1
        var openings = try found.map { try StreamOpening($0, isMerged: isMerged, self) }
        if let tail {
            try StreamOpening.keepTail(min(tail, Selection.largestTail), of: &openings)
        }
        for opening in openings {
            let id = opening.found.stream
            let input = MergeInput(stream: id, source: try opening.makeSource())
            inputs[id] = merger.inputs.count
            streams.append(EntryStream(id: id, vm: scope.vms[opening.found.vm]))
            merger.add(input)
        }
    }
}
