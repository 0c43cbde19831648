// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
import TextFormats

/// The rendered result of one query, read in chunks. Used from one thread at a time.
public final class LogQuery: FollowedSource, @unchecked Sendable {
    // Sendable because its only users await one another: each call ends before the next begins.

    let entries: EntrySource
    let now: Timestamp
    /// The zone for displayed times.
    let zone: LocalZone
    private let turn: ReadTurn?
    private var writer: RenderedOutput
    private let prefix: Bool?
    /// The streams' labels.
    private var labels: [StreamLabel] = []
    private var boots: [StreamID: [Boot]] = [:]
    /// The latest doubtful beginning that was shown as such: its stream and position.
    private var doubt: (stream: Int, position: UInt64)?

    /// Selected lines that are still to be returned.
    private var linesLeft: Int
    /// By stream, the number of lines that may still follow its last selected line.
    private var trailingLeft: [Int: Int] = [:]
    private var bytesLeft: Int
    /// By stream, the end of what was shown of its last line, when that was shown before its end was received.
    private var shownEarly: [Int: UInt64] = [:]
    private var isComplete = false
    /// The rest of an entry too large for one chunk, and where to resume until all of it was returned.
    private var rest: ArraySlice<UInt8> = []
    private var cursorBeforeRest: QueryCursor?

    public private(set) var matchedAny = false

    /// The result for `vms` of `store`; `now` is the time of the request. A follower of all VMs, or of a `pattern`,
    /// continues with VMs that appear later.
    ///
    /// Throws `QueryError` when the request is not valid for these VMs, `SystemError` when the store cannot be read.
    public init(
        store: Store,
        vms: [Store.VM],
        areAll: Bool = false,
        pattern: VMPattern = VMPattern([]),
        selection: Selection,
        rendering: Rendering,
        now: Timestamp,
        turn: ReadTurn? = nil
    ) throws {
        self.turn = turn
        self.now = now
        linesLeft = selection.head ?? .max
        bytesLeft = selection.limitBytes ?? .max
        zone = rendering.utc ? .utc : .system
        prefix = rendering.prefix
        writer = RenderedOutput(rendering, prefix: prefix ?? false)
        entries = try EntrySource(
            store: store,
            vms: vms,
            areAll: areAll,
            pattern: pattern,
            selection: selection,
            now: now,
            turn: turn
        )
        isComplete = linesLeft == 0 || bytesLeft == 0 || selection.tail == 0 && !entries.isFollowing
        labelStreams()
    }

    var store: Store { entries.store }
    var selection: Selection { entries.selection }
    /// The VMs read.
    var vms: [Store.VM] { entries.vms }
    /// The streams read.
    var streams: [StreamID] { entries.streams.map(\.id) }

    /// Whether the result was cut at `limitBytes`.
    var isCut: Bool { selection.limitBytes != nil && bytesLeft == 0 }

    /// Whether nothing can follow.
    var isFinished: Bool {
        let isAtEnd = entries.isDrained && !entries.isFollowing
        return rest.isEmpty && (isComplete || isAtEnd || entries.isFollowing && entries.allEnded)
    }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    func takeNewFolders() -> [String] { entries.takeNewFolders() }

    /// Notes what has changed in the store: `next` looks for more only there.
    public func note(_ changes: StoreChanges) {
        entries.note(changes)
    }

    /// The end of this result: a query that begins there returns exactly what was not returned.
    public var cursor: String { (cursorBeforeRest ?? entries.cursor).text }

    /// The part of `cursor` that has moved since the last call: merged into an earlier `cursor` it resumes after the
    /// last chunk.
    public func takeMovedCursor() -> String {
        (cursorBeforeRest == nil ? entries.takeMovedCursor() : QueryCursor()).text
    }

    // MARK: - Chunks

    /// The next chunk, which is empty when a turn has found nothing; nil when there is nothing now. A follower asks
    /// again after a change.
    public func next() throws -> [UInt8]? {
        if !rest.isEmpty {
            return takeRest()
        }
        guard !isComplete else {
            return nil
        }
        var out: [UInt8] = []
        out.reserveCapacity(QueryLimits.chunk + QueryLimits.chunk / 2)
        turn?.begin()
        while out.count < QueryLimits.chunk, !isComplete {
            let next: (entry: LogEntry, stream: Int)?
            do {
                next = try entries.peek()
            } catch is ReadTurn.Expired {
                if out.isEmpty {
                    return []
                }
                break
            }
            guard let (entry, stream) = next else {
                if !entries.isFollowing {
                    writer.finish(to: &out)
                }
                entries.takeDeleted().forEach { writer.append(deleted: $0.identity.name, to: &out) }
                break
            }
            labelStreams()
            if linesLeft == 0, !entry.isTrailing {
                trailingLeft[stream] = nil
                endAfterTrailing(&out)
                continue
            }
            if case .line(let line) = entry, line.bytes.count > QueryLimits.chunk {
                guard out.isEmpty else {
                    break
                }
                cursorBeforeRest = entries.cursor
            }
            try append(entry, stream, to: &out)
            if out.count > bytesLeft {
                // A cut entry does not count as returned: resuming returns it whole.
                out.removeSubrange(bytesLeft...)
                isComplete = true
                break
            }
            entries.consume(stream)
            if linesLeft == 0 {
                endAfterTrailing(&out)
            }
        }
        writer.endPiece(of: &out)
        if out.count > bytesLeft {
            out.removeSubrange(bytesLeft...)
        }
        bytesLeft -= selection.limitBytes == nil ? 0 : out.count
        if bytesLeft == 0 {
            isComplete = true
        }
        guard !out.isEmpty else {
            cursorBeforeRest = nil
            return nil
        }
        rest = out[...]
        return takeRest()
    }

    /// After the last selected line: reads on in the streams whose context is not complete, or ends.
    private func endAfterTrailing(_ out: inout [UInt8]) {
        if trailingLeft.isEmpty {
            isComplete = true
            writer.finish(to: &out)
        } else {
            entries.restrict(to: Set(trailingLeft.keys))
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

    /// The unfinished lines of streams that have been silent since `moment`, to be shown before their ends are received;
    /// only in formats for people. The rest is appended, or becomes a line of its own when another stream has spoken.
    func flushUnfinished(silentSince moment: Timestamp) -> [UInt8]? {
        guard !isComplete, rest.isEmpty, writer.canShowEarly else {
            return nil
        }
        labelStreams()
        var out: [UInt8] = []
        while linesLeft > 0, let (line, stream) = entries.takeUnfinished(silentSince: moment) {
            note(line, stream)
            shownEarly[stream] = line.end
            writer.appendEarly(line, input: stream, labels[stream], to: &out)
        }
        if linesLeft == 0 {
            endAfterTrailing(&out)
        }
        writer.endPiece(of: &out)
        if out.count >= bytesLeft {
            out.removeSubrange(bytesLeft...)
            isComplete = true
        }
        bytesLeft -= selection.limitBytes == nil ? 0 : out.count
        return out.isEmpty ? nil : out
    }

    /// Whether a stream may be in the middle of a line just after `moment`.
    func isSpeaking(at moment: Timestamp) -> Bool {
        writer.canShowEarly && entries.isSpeaking(at: moment)
    }

    /// Ends a line that was shown in part, for use before other text after an interrupted result.
    public func finishLine() -> [UInt8] {
        var out: [UInt8] = []
        writer.finish(to: &out)
        return out
    }

    // MARK: - Entries

    private func append(_ entry: LogEntry, _ stream: Int, to out: inout [UInt8]) throws {
        switch entry {
        case .line(let line):
            note(line, stream)
            writer.append(line, input: stream, labels[stream], to: &out)
        case .event(let event):
            if event.cutsLine {
                writer.cutLine(at: event.time, to: &out)
            }
            // Between the matches of a search boots are not useful.
            guard event.isLoss || !selection.filtersByText && writer.showsBoots else {
                return
            }
            guard case .boot(let detail) = event.kind else {
                writer.append(event, boot: nil, labels[stream], to: &out)
                return
            }
            let boot = try boot(detail, event, entries.streams[stream].id)
            // A boot ends once: after a guest's power-off message its console is closed too, and one whose console was
            // connected again has not ended there.
            if !detail.event.isBeginning, let boot, boot.endMarker != event.position {
                return
            }
            guard let shown = shown(detail, boot, event, stream) else {
                return
            }
            writer.append(shown, boot: boot?.number, labels[stream], to: &out)
        }
    }

    private func note(_ line: Line, _ stream: Int) {
        let role = line.role
        // A line of a context is only returned with a match.
        matchedAny = true
        // The rest of a line that was shown early was counted with it.
        let isRest = shownEarly.removeValue(forKey: stream) == line.start.offset
        guard selection.head != nil else {
            return
        }
        if role == .selected, linesLeft > 0 {
            linesLeft -= isRest ? 0 : 1
            trailingLeft[stream] = selection.context.after
        } else if role != .before, let left = trailingLeft[stream] {
            trailingLeft[stream] = left - 1
        }
        if trailingLeft[stream] == 0 {
            trailingLeft[stream] = nil
        }
    }

    /// A doubtful beginning that was confirmed is shown as the boot where it is; where it was confirmed, only if it was
    /// shown as doubtful, because it was followed.
    private func shown(_ detail: BootDetail, _ boot: Boot?, _ event: StreamEvent, _ stream: Int) -> StreamEvent? {
        guard detail.event.isBeginning else {
            return event
        }
        var event = event
        if detail.event == .doubtful {
            doubt = boot == nil ? (stream: stream, position: detail.position) : nil
            event.kind = boot?.startEvent.map { .boot(BootDetail(event: $0, position: detail.position)) } ?? event.kind
        } else if let boot, boot.marker < event.position,
            doubt?.stream != stream || doubt?.position != detail.position
        {
            return nil
        }
        return event
    }

    private func boot(_ detail: BootDetail, _ event: StreamEvent, _ stream: StreamID) throws -> Boot? {
        if let known = boots[stream], let last = known.last, event.position <= last.marker {
            if let boot = BootList.boot(of: detail, at: event.position, in: known) {
                return boot
            }
            // Older boots than the list has are shown without a number.
            if let first = known.first, first.number > 1, event.position < first.marker {
                return nil
            }
        }
        let known = try BootList.boots(of: stream, in: store)
        boots[stream] = known
        return BootList.boot(of: detail, at: event.position, in: known)
    }

    /// Makes the labels of streams that are new. VMs with the same name are told apart by their namespaces or folders.
    private func labelStreams() {
        guard labels.count < entries.streams.count else {
            return
        }
        let names = Dictionary(vms.map { ($0.identity.name, 1) }, uniquingKeysWith: +)
        let longNames = Dictionary(vms.map { ($0.identity.nameWithNamespace, 1) }, uniquingKeysWith: +)
        for stream in entries.streams[labels.count...] {
            let identity = stream.vm.identity
            let candidates = [(identity.name, names), (identity.nameWithNamespace, longNames)]
            let label = StreamLabel(
                vm: candidates.first { name, counts in counts[name] == 1 }?.0 ?? stream.vm.directory,
                folder: stream.vm.directory,
                uuid: identity.uuid,
                stream: stream.id.stream
            )
            labels.append(label)
        }
        if prefix == nil, labels.count > 1 {
            writer.showPrefix()
        }
    }
}
