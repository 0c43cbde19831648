// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import Query
import SystemIO

/// The rendered answer of a log engine to a request for log text: what the outputs of many hosts have sent there, with the
/// filters, the order and the formats of `LogQuery`.
///
/// The engine selects by time, VM, stream and severity, and returns pages; everything else is decided here, so that it
/// means the same as for a store.
public struct FleetQuery {
    private let request: LogRequest
    private let engine: any FleetEngine
    private let name: String
    private let now: Timestamp
    private let range: Range<Int64>

    private var streams: [FleetStream] = []
    private var areAll = false
    private var rendering = FleetRendering(Selection(), Rendering(), streams: [])

    /// The interval between two reads while following.
    private static let interval = Duration.seconds(1)
    /// The number of reads after which a follower looks for new streams.
    private static let readsPerListing = 10
    /// How long after its end a followed request is still answered, in microseconds: hosts send in batches.
    private static let delay: Int64 = 5_000_000
    /// Records of the future that are read, in microseconds: hosts' clocks differ.
    private static let future: Int64 = 86_400_000_000

    /// The answer of `source`, at the time `now`. Throws `QueryError` when an engine cannot answer the request.
    public init(_ source: FleetSource, _ request: LogRequest, now: Timestamp) throws(QueryError) {
        self.init(source.engine, named: source.description, request, now: now)
        try Self.check(request)
    }

    init(_ engine: any FleetEngine, named name: String, _ request: LogRequest, now: Timestamp) {
        self.request = request
        self.engine = engine
        self.name = name
        self.now = now
        let present = now.microseconds * 1000
        let reach = engine.limits.reach.map { present - $0 } ?? 0
        let start = request.selection.since.map { Self.nanoseconds($0.microseconds) } ?? reach
        // A record may have a later time than the one that the store has for it.
        let end = request.selection.until.map { Self.nanoseconds($0.microseconds) + 1_000_000 }
        range = start..<max(start, end ?? present + Self.future * 1000)
    }

    private static func nanoseconds(_ microseconds: Int64) -> Int64 {
        let largest = Int64.max / 1000 - Self.future
        return max(0, min(microseconds, largest)) * 1000
    }

    /// Refuses what an engine does not have.
    private static func check(_ request: LogRequest) throws(QueryError) {
        let format = request.rendering.format
        let refused: [(isRefused: Bool, option: String, reason: String)] = [
            (
                request.selection.boot != nil, "--boot (-b, -p)",
                "engines have no list of boots; use --since and --until"
            ),
            (request.selection.cursor != nil, "--cursor", "engines have no positions; use --since"),
            (
                !request.selection.context.isEmpty, "--context (-A, -B, -C)",
                "engines return selected lines only; use --since and --until"
            ),
            (request.previousInstance, "--previous-instance", "engines know VMs by name; use --until"),
            (
                format.isVerbatim || format == .escaped, "-o \(format.rawValue)",
                "engines do not have the stored bytes; use text, short, json or logfmt"
            ),
        ]
        if let found = refused.first(where: \.isRefused) {
            throw QueryError(.badRequest, "\(found.option) cannot be used with --from: \(found.reason)")
        }
    }

    /// Whether a line was selected.
    public var matchedAny: Bool { rendering.matchedAny }

    /// Why the result is empty, for people; nil when it is not.
    public var explanation: String? {
        guard !matchedAny else {
            return nil
        }
        return "\(name) has nothing of that in the requested time"
    }

    /// Passes the answer to `body`, chunk by chunk, until it is complete. Throws `QueryError` or `HTTPClientError`.
    public mutating func answer(_ body: ([UInt8]) async throws -> Void) async throws {
        let listed = try await engine.streams(in: range)
        streams = try FleetSelection.streams(of: request, among: listed, in: name)
        areAll = request.all && request.selection.streams == nil
        rendering = FleetRendering(request.selection, request.rendering, streams: streams)
        var overlap =
            if let tail = request.selection.tail {
                try await readLast(tail, body)
            } else {
                try await readAll(body)
            }
        if request.selection.follow {
            try await follow(&overlap, body)
        }
        try await write([], isLast: true, body)
    }

    // MARK: - Reading

    /// Reads a page; returns the records that are complete.
    private func read(_ pages: inout FleetPages) async throws -> [FleetRecord] {
        let (range, limit) = pages.next
        let page = try await engine.records(
            FleetRequest(
                range: range,
                limit: limit,
                isBackward: pages.isBackward,
                streams: streams,
                areAll: areAll,
                selected: request.selection.severities
            )
        )
        do throws(FleetPages.PageLimitReached) {
            return try pages.accept(page)
        } catch {
            let moment = Timestamp(microseconds: error.nanoseconds / 1000)
            throw QueryError(
                .badRequest,
                "\(name) returns at most \(limit) records, and more have the time \(moment); name fewer VMs or streams"
            )
        }
    }

    private mutating func readAll(_ body: ([UInt8]) async throws -> Void) async throws -> FleetOverlap {
        var overlap = FleetOverlap(from: range.lowerBound)
        var pages = FleetPages(range, engine.limits)
        var order = FleetOrder(streams)
        while !pages.isDone, !rendering.isComplete {
            let records = try await read(&pages)
            let ready = order.add(records, completeUntil: pages.isDone ? .max : pages.rest.lowerBound)
            if request.selection.follow {
                _ = overlap.filterNew(records, at: now.microseconds * 1000)
            }
            try await write(ready, isLast: false, body)
        }
        return overlap
    }

    /// Reads backward until the last `count` lines are there, and writes them.
    private mutating func readLast(
        _ count: Int,
        _ body: ([UInt8]) async throws -> Void
    ) async throws -> FleetOverlap {
        guard count > 0 else {
            return FleetOverlap(from: now.microseconds * 1000)
        }
        var pages = FleetPages(range, isBackward: true, engine.limits)
        var overlap = FleetOverlap(from: range.lowerBound)
        // What will be written: a filter may admit few of very many records.
        var records: [FleetRecord] = []
        var found: [Int64] = []
        // A line at the border may have one after it there that was not read yet.
        while !pages.isDone, found.count(where: { $0 - 1_000_000 >= pages.rest.upperBound }) < count {
            let page = try await read(&pages)
            if request.selection.follow {
                _ = overlap.filterNew(page, at: now.microseconds * 1000)
            }
            // A line that was sent in pieces is counted where it begins, and may match where a piece does not.
            let filters = request.selection.filtersByText
            let admitted = page.filter { $0.event == nil && ($0.isPiece || rendering.admits($0)) }
            found += admitted.filter { !$0.isPiece || !filters && !$0.continuesPiece }.map(\.nanoseconds)
            records += admitted
            records += page.filter { $0.event != nil && (rendering.shows($0) || !request.selection.filtersByText) }
        }
        overlap.raise(to: pages.isDone ? range.lowerBound : pages.rest.upperBound)
        var order = FleetOrder(streams)
        var ready = order.add(records, completeUntil: .max)
        if !pages.isDone {
            // It begins before the lines that are wanted.
            ready.removeAll(where: \.continuesPiece)
        }
        var (start, left) = (ready.endIndex, count)
        while start > 0, left > 0 {
            start -= 1
            left -= rendering.admits(ready[start]) ? 1 : 0
        }
        try await write(left == 0 ? Array(ready[start...]) : ready, isLast: false, body)
        return overlap
    }

    // MARK: - Following

    private mutating func follow(
        _ overlap: inout FleetOverlap,
        _ body: ([UInt8]) async throws -> Void
    ) async throws {
        let clock = SystemClock()
        overlap.begin(at: now.microseconds * 1000)
        var reads = 0
        while !rendering.isComplete {
            let present = clock.wallMicroseconds()
            if let until = request.selection.until, present > until.microseconds + Self.delay {
                return
            }
            try await Task.sleep(for: Self.interval)
            reads += 1
            let rest = overlap.start..<max(overlap.start, range.upperBound, (present + Self.future) * 1000)
            if reads % Self.readsPerListing == 0 {
                try await addStreams(in: rest)
            }
            var pages = FleetPages(rest, engine.limits)
            var order = FleetOrder(streams)
            var records: [FleetRecord] = []
            while !pages.isDone {
                records += try await read(&pages)
            }
            try await write(
                order.add(overlap.filterNew(records, at: present * 1000), completeUntil: .max),
                isLast: false,
                body
            )
        }
    }

    /// Adds the selected streams that are new.
    private mutating func addStreams(in range: Range<Int64>) async throws {
        let listed = try await engine.streams(in: range)
        // A VM that is silent now is not listed.
        let found = (try? FleetSelection.streams(of: request, among: listed + streams, in: name)) ?? []
        let new = Set(found).subtracting(streams).sorted { $0.stream < $1.stream }
        streams += new
        rendering.add(new)
    }

    private mutating func write(
        _ records: [FleetRecord],
        isLast: Bool,
        _ body: ([UInt8]) async throws -> Void
    ) async throws {
        var out: [UInt8] = []
        for record in records {
            rendering.append(record, to: &out)
        }
        rendering.endPiece(isLast: isLast, of: &out)
        if !out.isEmpty {
            try await body(out)
        }
    }
}
