import LogModel
import LogStore
import Query

/// A question for log text: the same whether it is answered from the store at hand or by the daemon.
public struct LogRequest: Sendable {
    /// The VMs asked for, by name, UUID or folder.
    public var vms: [String] = []
    /// Whether all VMs are meant.
    public var all = false
    /// Whether the VM that had the name before is meant.
    public var previousInstance = false
    /// Which entries.
    public var selection = Selection()
    /// The pattern's text, as it was given.
    public var grep: String?
    /// Whether the pattern ignores case; nil: when it is all lower case.
    public var ignoreCase: Bool?
    /// How they look.
    public var rendering = Rendering()
    /// Whether the body tells after each piece where to go on (`ResumableAnswer`).
    var isResumable = false

    /// The names of all parameters.
    static let parameterNames: Set = [
        "vm", "all", "previous-instance", "stream", "since", "until", "tail", "head", "boot", "severity", "grep",
        "ignore-case", "limit-bytes", "cursor", "follow", "format", "timestamps", "prefix", "color", "utc",
        "resumable",
    ]

    /// A question for everything of no VM.
    public init() {}

    /// The question that `target`'s parameters spell.
    public init(_ target: RequestTarget, now: Timestamp) throws(APIError) {
        if let unknown = target.parameters.keys.sorted().first(where: { !Self.parameterNames.contains($0) }) {
            throw .badRequest("\(unknown) is no parameter of logs")
        }
        vms = try Self.distinct(target.parameters["vm"] ?? [])
        all = target.flag("all")
        previousInstance = target.flag("previous-instance")
        if let streams = target.parameters["stream"] {
            selection.streams = []
            for text in streams {
                guard let stream = StreamName(text) else {
                    throw .badRequest("\(text) is no stream's name")
                }
                selection.streams?.insert(stream)
            }
        }
        selection.since = try Self.time(target, "since", now)
        selection.until = try Self.time(target, "until", now)
        selection.tail = try Self.count(target, "tail")
        if let tail = selection.tail, tail > Selection.largestTail {
            throw .badRequest("tail=\(tail): at most \(Selection.largestTail) lines; leave it out for the whole log")
        }
        selection.head = try Self.count(target, "head")
        selection.limitBytes = try Self.count(target, "limit-bytes")
        if let text = target["boot"] {
            guard let boot = Int(text) else {
                throw .badRequest("boot=\(text): a whole number was expected; 0 is the latest, -1 the one before")
            }
            selection.boot = boot
        }
        if let word = target["severity"] {
            guard let severity = Severity(word: word) else {
                throw .badRequest(
                    "\(word) is no severity; there are emerg, alert, crit, err, warning, notice, info, debug"
                )
            }
            selection.severity = severity
        }
        grep = target["grep"]
        ignoreCase = target["ignore-case"].map { _ in target.flag("ignore-case") }
        selection.pattern = try Self.pattern(grep, ignoreCase: ignoreCase, isBounded: true)
        selection.cursor = target["cursor"]
        selection.follow = target.flag("follow")
        if let word = target["format"] {
            guard let format = OutputFormat(word: word) else {
                throw .badRequest("\(word) is no format; there are \(OutputFormat.names)")
            }
            rendering.format = format
        }
        rendering.timestamps = target.flag("timestamps")
        rendering.prefix = target["prefix"].map { _ in target.flag("prefix") }
        rendering.color = target.flag("color")
        rendering.utc = target.flag("utc")
        isResumable = target.flag("resumable")
    }

    /// The parameters that spell this question.
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

    /// The VMs meant, found in `store`.
    public func resolve(in store: Store) throws -> [Store.VM] {
        if all {
            return try store.vms().filter { $0.ended == nil }
        }
        guard !vms.isEmpty else {
            throw APIError.badRequest("no VM was named; name some, or say all")
        }
        return try VMLookup.resolve(vms, in: store, previousInstance: previousInstance)
    }

    /// The answer, ready to be pulled.
    public func open(_ store: Store, now: Timestamp) throws -> LogQuery {
        try open(resolve(in: store), of: store, now: now, turn: nil)
    }

    /// The answer about `vms`, which `resolve(in:)` has found.
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

    /// Most VMs that one question may name.
    static let mostVMs = 1000

    /// `words` in their order, each once.
    private static func distinct(_ words: [String]) throws(APIError) -> [String] {
        var seen: Set<String> = []
        let distinct = words.filter { seen.insert($0).inserted }
        guard distinct.count <= mostVMs else {
            throw .badRequest(
                "vm: \(distinct.count) VMs are named, at most \(mostVMs) may be; ask for some, or for all"
            )
        }
        return distinct
    }

    /// The pattern that `text` spells.
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
            throw .badRequest("\(name)=\(text): a whole number from 0 was expected")
        }
        return count
    }
}
