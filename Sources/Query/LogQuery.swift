public import LogModel
public import LogStore

/// The answer to one question, pulled in chunks. Used from one thread at a time.
public final class LogQuery: @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

    let store: Store
    let selection: Selection
    let now: Timestamp
    let isFollowing: Bool
    /// The zone whose clocks times are shown by.
    let zone: LocalZone
    private let filter: LineFilter
    private let turn: ReadTurn?
    private let resumed: QueryCursor
    /// The boot asked for, by the VM's folder.
    private var windows: [String: BootWindow] = [:]
    private var scope: StreamScope
    private var merger = StreamMerger([])
    private var writer: RenderedOutput
    private let prefix: Bool?
    /// The streams' labels, input by input.
    private var labels: [StreamLabel] = []
    private var boots: [StreamID: [Boot]] = [:]

    private var linesLeft: Int
    private var bytesLeft: Int
    private var isOver = false
    /// What is left of an entry too large for one chunk, and where to resume until all of it was handed out.
    private var rest: ArraySlice<UInt8> = []
    private var cursorBeforeRest: String?

    /// Whether any line was selected.
    public private(set) var matchedAny = false

    /// The answer of `store` about `vms`; `now` is when it was asked for. A follower of all VMs goes on with those that
    /// come up later.
    ///
    /// Throws `QueryError` when the question makes no sense for these VMs, `SystemError` when the store cannot be read.
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
        // What was received until a moment gone by is all there.
        isFollowing = selection.follow && selection.until.map { $0 >= now } ?? true
        let matcher = selection.pattern.map(PatternMatcher.init)
        filter = LineFilter(
            since: selection.since,
            until: selection.until,
            severity: selection.severity,
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
        // What is yet to come is the latest boot.
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

    /// Whether the answer was cut where `limitBytes` says.
    var isCut: Bool { selection.limitBytes != nil && bytesLeft == 0 }

    /// The VMs looked at.
    var vms: [Store.VM] { scope.vms }
    /// The streams looked at.
    var streams: [StreamID] { merger.inputs.map(\.stream) }

    /// Folders in which a change may be more of the answer, named from the store's root, that were not handed over
    /// before.
    func takeNewFolders() -> [String] { scope.takeNewFolders() }

    /// Whether nothing can ever follow.
    public var isFinished: Bool {
        rest.isEmpty
            && (isOver || isDrained && (!isFollowing || hasEnded) || isFollowing && !merger.inputs.isEmpty && allEnded)
    }
    private var isDrained = false
    /// Whether all VMs followed were deleted before the store was last read to its end.
    private(set) var hasEnded = false
    private var allEnded: Bool { isDrained && selection.until != nil && merger.inputs.allSatisfy(\.source.isFinished) }

    /// Where this answer has come to: a question that begins there gets exactly what was not handed out.
    public var cursor: String { cursorBeforeRest ?? currentCursor }

    private var currentCursor: String {
        var cursor = resumed
        for input in merger.inputs {
            cursor.places[input.stream] = input.source.cursor
        }
        return cursor.text
    }

    /// The next of the answer, which is empty when a turn has brought nothing; nil when there is nothing now. A follower
    /// asks again after a commit.
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
            hasEnded = scope.hasEnded
            try open(scope.refresh(), tail: nil)
            merger.wake()
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
                // What was cut is not done with: whoever resumes gets it whole.
                out.removeSubrange(bytesLeft...)
                isOver = true
                break
            }
            merger.take(input)
            merger.inputs[input].source.settle()
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

    private func takeRest() -> [UInt8] {
        let chunk = rest.prefix(QueryLimits.largestChunk)
        rest = rest.dropFirst(chunk.count)
        if rest.isEmpty {
            cursorBeforeRest = nil
        }
        return Array(chunk)
    }

    /// What there is of an unfinished line, to be shown before its end comes; only when one stream is followed in a
    /// format for eyes. What comes later goes on behind it.
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
        if out.count >= bytesLeft {
            out.removeSubrange(bytesLeft...)
            isOver = true
        }
        bytesLeft -= selection.limitBytes == nil ? 0 : out.count
        return out
    }

    /// The end of a line that was shown in part, for whoever writes more behind an answer that breaks off.
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
            // Between the hits of a search boots would stand for nothing.
            guard !filter.filtersByText, writer.showsBoots else {
                return
            }
            let boot = try boot(detail, event, merger.inputs[input].stream)
            // A boot ends once: the console of a guest that said it powers down is closed next.
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
            "\(who) no stream \(asked); " + (there.isEmpty ? "nothing is stored of them yet" : "there is \(there)")
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
            "the cursor is of another VM, in folder \(VMLookup.quoted(foreign.vm)); leave it out to begin anew"
        )
    }

    /// Begins to read streams that are new to the query, the last `tail` lines of them when given.
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
            try merger.add(MergeInput(stream: opening.found.stream, source: opening.makeSource()))
        }
        if prefix == nil, merger.inputs.count > 1 {
            writer.showPrefix()
        }
    }

    /// A stream about to be read: from where, to where, and what is wanted of it.
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
            reader = query.store.reader(of: found.stream)
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
                // Stream by stream, so that never more than twice `count` are remembered.
                tails.append(try finder.last(count + 1)[...])
                Self.cut(&tails, to: count + 1)
            }
            // Where that is everything, what happened before the first line is part of it.
            guard tails.reduce(0, { $0 + $1.count }) > count || count == 0 else {
                return
            }
            Self.cut(&tails, to: count)
            for (place, tail) in tails.enumerated() {
                openings[place].start = try tail.first?.start ?? openings[place].reader.end()
            }
        }

        /// Leaves out the lines that come first in the merged order until only `count` remain.
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
