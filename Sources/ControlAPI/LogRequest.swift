// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// A request for log text, answered from the store directly or by the daemon.
public struct LogRequest: Sendable {
    /// The VMs, by name, UUID or folder.
    public var vms: [String] = []
    /// Whether all VMs are requested.
    public var all = false
    /// Whether the previous VM of that name is requested.
    public var previousInstance = false
    public var selection = Selection()
    public var grep: String?
    /// Whether the pattern ignores case; nil: it does when it is all lower case.
    public var ignoreCase: Bool?
    public var rendering = Rendering()
    /// Whether the body has a cursor for each piece (`ResumableAnswer`).
    var isResumable = false

    static let parameterNames: Set = [
        "vm", "all", "previous-instance", "stream", "since", "until", "tail", "head", "boot", "severity", "field",
        "grep",
        "ignore-case", "limit-bytes", "cursor", "follow", "format", "timestamps", "prefix", "color", "utc",
        "resumable",
    ]

    /// A request for all entries of no VM.
    public init() {}

    /// The request in `target`'s parameters.
    public init(_ target: RequestTarget, now: Timestamp) throws(APIError) {
        if let unknown = target.parameters.keys.sorted().first(where: { !Self.parameterNames.contains($0) }) {
            throw .badRequest("unknown parameter of logs: \(unknown)")
        }
        vms = try Self.distinct(target.parameters["vm"] ?? [])
        all = target.flag("all")
        previousInstance = target.flag("previous-instance")
        if let streams = target.parameters["stream"] {
            selection.streams = []
            for text in streams {
                guard let stream = StreamName(text) else {
                    throw .badRequest("\(text) is not a stream name")
                }
                selection.streams?.insert(stream)
            }
        }
        selection.since = try Self.time(target, "since", now)
        selection.until = try Self.time(target, "until", now)
        selection.tail = try Self.count(target, "tail")
        if let tail = selection.tail, tail > Selection.largestTail {
            throw .badRequest("tail=\(tail): must be at most \(Selection.largestTail); omit it for the whole log")
        }
        selection.head = try Self.count(target, "head")
        selection.limitBytes = try Self.count(target, "limit-bytes")
        if let text = target["boot"] {
            guard let boot = Int(text) else {
                throw .badRequest("boot=\(text): must be a whole number; 0 is the latest boot, -1 the one before")
            }
            selection.boot = boot
        }
        if let word = target["severity"] {
            guard let severity = Severity(word: word) else {
                throw .badRequest(
                    "unknown severity \(word): use emerg, alert, crit, err, warning, notice, info or debug"
                )
            }
            selection.severity = severity
        }
        do {
            selection.fields = try FieldMatches(target.parameters["field"] ?? [])
        } catch {
            throw .badRequest("\(error)")
        }
        grep = target["grep"]
        ignoreCase = target["ignore-case"].map { _ in target.flag("ignore-case") }
        selection.pattern = try Self.pattern(grep, ignoreCase: ignoreCase, isBounded: true)
        selection.cursor = target["cursor"]
        selection.follow = target.flag("follow")
        if let word = target["format"] {
            guard let format = OutputFormat(word: word) else {
                throw .badRequest("unknown format \(word): use one of \(OutputFormat.names)")
            }
            rendering.format = format
        }
        rendering.timestamps = target.flag("timestamps")
        rendering.prefix = target["prefix"].map { _ in target.flag("prefix") }
        rendering.color = target.flag("color")
        rendering.utc = target.flag("utc")
        isResumable = target.flag("resumable")
    }

    /// This request as parameters.
    public var parameters: [String: [String]] {
        var parameters: [String: [String]] = [:]
        func put(_ name: String, _ value: String?) {
            if let value {
                parameters[name] = [value]
            }
        }
        func flag(_ name: String, _ value: Bool?) {
            put(name, value.map { $0 ? "1" : "0" })
        }
        parameters["vm"] = vms.isEmpty ? nil : vms
        flag("all", all ? true : nil)
        flag("previous-instance", previousInstance ? true : nil)
        parameters["stream"] = selection.streams.map { $0.map(\.text).sorted() }
        put("since", selection.since.map(\.description))
        put("until", selection.until.map(\.description))
        put("tail", selection.tail.map { String($0) })
        put("head", selection.head.map { String($0) })
        put("limit-bytes", selection.limitBytes.map { String($0) })
        put("boot", selection.boot.map { String($0) })
        put("severity", selection.severity?.name)
        parameters["field"] = selection.fields.isEmpty ? nil : selection.fields.words
        put("grep", grep)
        flag("ignore-case", ignoreCase)
        put("cursor", selection.cursor)
        flag("follow", selection.follow ? true : nil)
        put("format", rendering.format.rawValue)
        flag("timestamps", rendering.timestamps ? true : nil)
        flag("prefix", rendering.prefix)
        flag("color", rendering.color ? true : nil)
        flag("utc", rendering.utc ? true : nil)
        return parameters
    }

    /// The requested VMs in `store`.
    public func resolve(in store: Store) throws -> [Store.VM] {
        if all {
            return try store.vms().filter { $0.ended == nil }
        }
        guard !vms.isEmpty else {
            throw APIError.badRequest("no VM was requested; name VMs, or request all")
        }
        return try VMLookup.resolve(vms, in: store, previousInstance: previousInstance)
    }

    public func open(_ store: Store, now: Timestamp) throws -> LogQuery {
        try open(resolve(in: store), of: store, now: now, turn: nil)
    }

    /// The response for `vms`, as returned by `resolve(in:)`.
    func open(_ vms: [Store.VM], of store: Store, now: Timestamp, turn: ReadTurn?) throws -> LogQuery {
        try LogQuery(
            store: store,
            vms: vms,
            areAll: all,
            selection: selection,
            rendering: rendering,
            now: now,
            turn: turn
        )
    }

    /// Maximum number of VMs in one request.
    static let mostVMs = 1000

    /// `words` without duplicates, in order.
    private static func distinct(_ words: [String]) throws(APIError) -> [String] {
        var seen: Set<String> = []
        let distinct = words.filter { seen.insert($0).inserted }
        guard distinct.count <= mostVMs else {
            throw .badRequest(
                "vm: \(distinct.count) VMs are named, at most \(mostVMs) are allowed; name fewer, or request all"
            )
        }
        return distinct
    }

    public static func pattern(
        _ text: String?,
        ignoreCase: Bool?,
        isBounded: Bool = false
    ) throws(APIError) -> Pattern? {
        guard let text else {
            return nil
        }
        do {
            return try Pattern(text, ignoreCase: ignoreCase, isBounded: isBounded)
        } catch {
            throw .badRequest("\(error)")
        }
    }

    static func time(_ target: RequestTarget, _ name: String, _ now: Timestamp) throws(APIError) -> Timestamp? {
        guard let text = target[name] else {
            return nil
        }
        do {
            return try TimeWords.parse(text, now: now, zone: .system)
        } catch {
            throw .badRequest("\(name): \(error)")
        }
    }

    private static func count(_ target: RequestTarget, _ name: String) throws(APIError) -> Int? {
        guard let text = target[name] else {
            return nil
        }
        guard let count = Int(text), count >= 0 else {
            throw .badRequest("\(name)=\(text): must be a whole number, 0 or more")
        }
        return count
    }
}
