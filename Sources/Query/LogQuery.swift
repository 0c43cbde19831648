// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// The result of one query, read in chunks. Used from one thread at a time.
public final class LogQuery: @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

    let store: Store
    let selection: Selection
    let now: Timestamp
    let isFollowing: Bool
    /// The zone for displayed times.
    let zone: LocalZone
    private let filter: LineFilter
    private let turn: ReadTurn?
    private let readers = ReaderGroup()
    private let resumed: QueryCursor
    /// The requested boot, by the VM's folder.
    private var windows: [String: BootWindow] = [:]
    private var scope: StreamScope
    private var merger = StreamMerger([])
    private var writer: RenderedOutput
    private let prefix: Bool?
    /// The streams' labels, by input.
    private var labels: [StreamLabel] = []
    private var boots: [StreamID: [Boot]] = [:]

    private var linesLeft: Int
    private var bytesLeft: Int
    private var isOver = false
    /// The rest of an entry too large for one chunk, and where to resume until all of it was returned.
    private var rest: ArraySlice<UInt8> = []
    private var cursorBeforeRest: String?

    public private(set) var matchedAny = false

    /// The result for `vms` of `store`; `now` is the time of the request. A follower of all VMs continues with VMs that
    /// appear later.
    ///
    /// Throws `QueryError` when the request is not valid for these VMs, `SystemError` when the store cannot be read.
    public init(
        store: Store,
        vms: [Store.VM],
        areAll: Bool = false,
        selection: Selection,
        rendering: Rendering,
        now: Timestamp,
        turn: ReadTurn? = nil
    ) throws {
        self.turn = turn
        self.store = store
        self.selection = selection
        self.now = now
        // Everything received before a past moment is there.
        isFollowing = selection.follow && selection.until.map { $0 >= now } ?? true
        let matcher = selection.pattern.map(PatternMatcher.init)
        filter = LineFilter(
            since: selection.since,
            until: selection.until,
            severity: selection.severity,
            fields: selection.fields,
            pattern: matcher,
            turn: turn
        )
        resumed = try selection.cursor.map { word throws(QueryError) in try QueryCursor(word) } ?? QueryCursor()
        if let boot = selection.boot {
            for vm in vms {
                windows[vm.directory] = try BootWindow(boot, of: vm, in: store)
            }
        }
        linesLeft = selection.head ?? .max
        bytesLeft = selection.limitBytes ?? .max
        // Future output belongs to the latest boot.
        let isOpen = areAll && isFollowing && (selection.boot ?? 0) == 0
        scope = StreamScope(store: store, vms: vms, wanted: selection.streams, isOpen: isOpen)
        let streams = try scope.refresh()
        try Self.check(streams, scope, selection, vms)
        try Self.check(resumed, vms)
        zone = rendering.utc ? .utc : .system
        prefix = rendering.prefix
        writer = RenderedOutput(rendering, prefix: prefix ?? false)
        try open(streams, tail: selection.tail)
        isOver = linesLeft == 0 || bytesLeft == 0 || selection.tail == 0 && !isFollowing
    }

    /// Whether the result was cut at `limitBytes`.
    var isCut: Bool { selection.limitBytes != nil && bytesLeft == 0 }

    /// The VMs read.
    var vms: [Store.VM] { scope.vms }
    /// The places of the streams in the merger.
    private var inputs: [StreamID: Int] = [:]
    /// What may have changed since the store was last read to its end.
    private var changes = StoreChanges.nothing
    /// Streams with changes that are not selected.
    private var unwanted: Set<StreamID> = []
    /// The inputs whose cursors have moved since `takeMovedCursor`.
    private var moved: Set<Int> = []

    /// The streams read.
    var streams: [StreamID] { merger.inputs.map(\.stream) }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    func takeNewFolders() -> [String] { scope.takeNewFolders() }

    /// Whether nothing can follow.
    public var isFinished: Bool {
        rest.isEmpty
            && (isOver || isDrained && (!isFollowing || hasEnded) || isFollowing && !merger.inputs.isEmpty && allEnded)
    }
    private var isDrained = false
    /// Whether all followed VMs were deleted before the store was last read to its end.
    private(set) var hasEnded = false
    private var allEnded: Bool { isDrained && selection.until != nil && merger.inputs.allSatisfy(\.source.isFinished) }

    /// The end of this result: a query that begins there returns exactly what was not returned.
    public var cursor: String { cursorBeforeRest ?? currentCursor }

    private var currentCursor: String {
        var cursor = resumed
        for input in merger.inputs {
            cursor.places[input.stream] = input.source.cursor
        }
        return cursor.text
    }

    /// The part of `cursor` that has moved since the last call: merged into an earlier `cursor` it resumes after the
    /// last chunk. Its size does not grow with the number of streams that are read.
    public func takeMovedCursor() -> String {
        var cursor = QueryCursor()
        if cursorBeforeRest == nil {
            for input in moved {
                cursor.places[merger.inputs[input].stream] = merger.inputs[input].source.cursor
            }
            moved.removeAll()
        }
        return cursor.text
    }

    /// The next chunk, which is empty when a turn has found nothing; nil when there is nothing now. A follower asks
    /// again after a commit.
    public func next() throws -> [UInt8]? {
        if !rest.isEmpty {
            return takeRest()
        }
        guard !isOver else {
            return nil
        }
        if isDrained {
            guard isFollowing else {
                return nil
            }
            try refresh()
            isDrained = false
        }
        var out: [UInt8] = []
        out.reserveCapacity(QueryLimits.chunk + QueryLimits.chunk / 2)
        turn?.begin()
        while out.count < QueryLimits.chunk, !isOver {
            let next: (entry: LogEntry, input: Int)?
            do {
                next = try merger.peek()
            } catch is ReadTurn.Expired {
                if out.isEmpty {
                    return []
                }
                break
            }
            if let pattern = selection.pattern, pattern.isExhausted {
                throw QueryError.tooCostly(pattern)
            }
            guard let (entry, input) = next else {
                isDrained = true
                if !isFollowing {
                    writer.finish(to: &out)
                }
                break
            }
            if case .line(let line) = entry, line.bytes.count > QueryLimits.chunk {
                guard out.isEmpty else {
                    break
                }
                cursorBeforeRest = currentCursor
            }
            try append(entry, input, to: &out)
            if out.count > bytesLeft {
                // A cut entry does not count as returned: resuming returns it whole.
                out.removeSubrange(bytesLeft...)
                isOver = true
                break
            }
            merger.take(input)
            merger.inputs[input].source.settle()
            moved.insert(input)
            if linesLeft == 0 {
                isOver = true
                writer.finish(to: &out)
            }
        }
        if out.count > bytesLeft {
            out.removeSubrange(bytesLeft...)
        }
        bytesLeft -= selection.limitBytes == nil ? 0 : out.count
        if bytesLeft == 0 {
            isOver = true
        }
        guard !out.isEmpty else {
            cursorBeforeRest = nil
            return nil
        }
        rest = out[...]
        return takeRest()
    }

    /// Notes what has changed in the store: `next` looks for more only there.
    public func note(_ new: StoreChanges) {
        changes = changes.union(new)
    }

    /// Looks for what has come since the store was read to its end.
    private func refresh() throws {
        defer { changes = .nothing }
        if case .streams(let streams) = changes {
            let unknown = streams.filter { inputs[$0] == nil && !unwanted.contains($0) }
            guard !unknown.isEmpty else {
                return streams.compactMap { inputs[$0] }.sorted().forEach { merger.wake($0) }
            }
        }
        hasEnded = scope.hasEnded
        try open(scope.refresh(), tail: nil)
        merger.wake()
        if case .streams(let streams) = changes {
            unwanted.formUnion(streams.filter { inputs[$0] == nil })
        } else {
            unwanted = []
        }
    }

    private func takeRest() -> [UInt8] {
        let chunk = rest.prefix(QueryLimits.largestChunk)
        rest = rest.dropFirst(chunk.count)
        if rest.isEmpty {
            cursorBeforeRest = nil
        }
        return Array(chunk)
    }

    /// An unfinished line, to be shown before its end is received; only when one stream is followed in a format for
    /// people. The rest is appended to it.
    public func flushPartial() -> [UInt8]? {
        guard isFollowing, isDrained, !isOver, rest.isEmpty, merger.inputs.count == 1, writer.canShowEarly,
            let line = merger.inputs[0].source.takePartial()
        else {
            return nil
        }
        var out: [UInt8] = []
        matchedAny = true
        writer.appendEarly(line, input: 0, labels[0], to: &out)
        merger.inputs[0].source.settle()
        moved.insert(0)
        if out.count >= bytesLeft {
            out.removeSubrange(bytesLeft...)
            isOver = true
        }
        bytesLeft -= selection.limitBytes == nil ? 0 : out.count
        return out
    }

    /// Ends a line that was shown in part, for use before other text after an interrupted result.
    public func finishLine() -> [UInt8] {
        var out: [UInt8] = []
        writer.finish(to: &out)
        return out
    }

    // MARK: - Entries

    private func append(_ entry: LogEntry, _ input: Int, to out: inout [UInt8]) throws {
        switch entry {
        case .line(let line):
            matchedAny = true
            linesLeft -= linesLeft == .max ? 0 : 1
            writer.append(line, input: input, labels[input], to: &out)
        case .event(let event):
            guard case .boot(let detail) = event.kind else {
                writer.append(event, boot: nil, labels[input], to: &out)
                return
            }
            // Between the matches of a search boots are not useful.
            guard !filter.filtersByText, writer.showsBoots else {
                return
            }
            let boot = try boot(detail, event, merger.inputs[input].stream)
            // A boot ends once: after a guest's power-off message its console is closed too.
            if !detail.event.isBeginning, let end = boot?.endPlace, end < event.place {
                return
            }
            writer.append(event, boot: boot?.number, labels[input], to: &out)
        }
    }

    private func boot(_ detail: BootDetail, _ event: StreamEvent, _ stream: StreamID) throws -> Boot? {
        func find() -> Boot? {
            boots[stream]?.last { boot in
                detail.event.isBeginning ? boot.marker == event.place : boot.place <= event.place
            }
        }
        let isCurrent = boots[stream]?.last.map { $0.marker >= event.place } ?? false
        if !isCurrent || find() == nil {
            boots[stream] = try BootList.boots(of: stream, in: store)
        }
        return find()
    }

    // MARK: - Streams

    private static func check(
        _ streams: [StreamScope.Found],
        _ scope: StreamScope,
        _ selection: Selection,
        _ vms: [Store.VM]
    ) throws {
        guard let wanted = selection.streams, !selection.follow, streams.isEmpty, !vms.isEmpty else {
            return
        }
        let there = Set(scope.passedOver.map(\.text)).sorted().joined(separator: ", ")
        let asked = wanted.map(\.text).sorted().joined(separator: " or ")
        let who = vms.count == 1 ? VMLookup.quoted(vms[0].identity.name) + " has" : "these VMs have"
        throw QueryError(
            .noSuchStream,
            "\(who) no stream \(asked); "
                + (there.isEmpty ? "nothing of them is stored yet" : "the streams are \(there)")
        )
    }

    private static func check(_ cursor: QueryCursor, _ vms: [Store.VM]) throws {
        let folders = Set(vms.map(\.directory))
        guard let foreign = cursor.places.keys.first, !cursor.places.keys.contains(where: { folders.contains($0.vm) })
        else {
            return
        }
        throw QueryError(
            .badCursor,
            "the cursor belongs to another VM, in folder \(VMLookup.quoted(foreign.vm)); omit it to start from the beginning"
        )
    }

    /// Opens streams that are new to the query, at their last `tail` lines when given.
    private func open(_ found: [StreamScope.Found], tail: Int?) throws {
        let isMerged = merger.inputs.count + found.count > 1
        var openings = try found.map { try Opening($0, isMerged: isMerged, self) }
        if let tail {
            try Opening.keepTail(min(tail, Selection.largestTail), of: &openings)
        }
        let names = Dictionary(vms.map { ($0.identity.name, 1) }, uniquingKeysWith: +)
        for opening in openings {
            let vm = vms[opening.found.vm]
            let isUnique = names[vm.identity.name] == 1
            let label = StreamLabel(
                vm: isUnique ? vm.identity.name : vm.directory,
                folder: vm.directory,
                uuid: vm.identity.uuid,
                stream: opening.found.stream.stream
            )
            labels.append(label)
            inputs[opening.found.stream] = merger.inputs.count
            try merger.add(MergeInput(stream: opening.found.stream, source: opening.makeSource()))
        }
        if prefix == nil, merger.inputs.count > 1 {
            writer.showPrefix()
        }
    }

    /// A stream to be read, with its range and filter.
    struct Opening {
        let found: StreamScope.Found
        let reader: StreamReader
        let properties: StreamProperties
        let plan: BlockPlan
        let filter: LineFilter
        var start: Cursor
        let bound: Cursor?
        let isFollowing: Bool

        init(_ found: StreamScope.Found, isMerged: Bool, _ query: LogQuery) throws {
            self.found = found
            var filter = query.filter
            start = query.resumed.places[found.stream] ?? .start
            var bound: Cursor?
            if let window = query.windows[found.stream.vm] {
                if window.console == found.stream {
                    start = max(start, window.place)
                    bound = window.bound
                } else {
                    filter = filter.narrowed(since: window.since, until: window.until)
                }
            }
            self.bound = bound
            self.filter = filter
            isFollowing = query.isFollowing
            reader = query.store.reader(of: found.stream, group: query.readers)
            properties = query.store.properties(of: found.stream)
            plan = try BlockPlan(reader, clock: properties.clock, since: filter.since, needsAll: isMerged)
        }

        func makeSource() throws -> LineSource {
            try LineSource(
                reader,
                properties,
                plan: plan,
                filter: filter,
                from: start,
                to: bound,
                isFollowing: isFollowing
            )
        }

        /// Moves the starts so that only the last `count` lines of all streams together are left.
        static func keepTail(_ count: Int, of openings: inout [Opening]) throws {
            var tails: [ArraySlice<TailFinder.LineStart>] = []
            for opening in openings {
                let finder = TailFinder(
                    reader: opening.reader,
                    properties: opening.properties,
                    plan: opening.plan,
                    filter: opening.filter,
                    start: opening.start,
                    bound: opening.bound
                )
                // Stream by stream, so that at most twice `count` are held.
                tails.append(try finder.last(count + 1)[...])
                Self.cut(&tails, to: count + 1)
            }
            // If that is everything, events before the first line belong to it.
            guard tails.reduce(0, { $0 + $1.count }) > count || count == 0 else {
                return
            }
            Self.cut(&tails, to: count)
            for (place, tail) in tails.enumerated() {
                openings[place].start = try tail.first?.start ?? openings[place].reader.end()
            }
        }

        /// Removes the lines that come first in the merged order until only `count` remain.
        private static func cut(_ tails: inout [ArraySlice<TailFinder.LineStart>], to count: Int) {
            var excess = tails.reduce(0) { $0 + $1.count } - count
            while excess > 0 {
                let input = tails.indices.filter { !tails[$0].isEmpty }
                    .min { (tails[$0].first!.latest, $0) < (tails[$1].first!.latest, $1) }
                guard let input else {
                    break
                }
                tails[input].removeFirst()
                excess -= 1
            }
        }
    }
}
