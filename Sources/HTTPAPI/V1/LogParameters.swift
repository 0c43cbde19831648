// SPDX-License-Identifier: Apache-2.0

import LogModel
import Query
import TextFormats

/// A request for log text as the parameters of `/v1/logs`.
public struct LogParameters: Sendable {
    public var request: LogRequest
    /// Whether the body has a cursor for each piece (`ResumableBody`).
    var isResumable = false

    static let names = RouteParameters(
        [
            "all", "previous-instance", "since", "until", "tail", "head", "boot", "severity", "grep", "ignore-case",
            "before", "after", "limit-bytes", "cursor", "follow", "format", "timestamps", "prefix", "color", "utc",
            "markers", "charset", "resumable",
        ],
        lists: ["vm", "stream", "field"]
    )

    public init(_ request: LogRequest) {
        self.request = request
    }

    /// The request in `target`'s parameters. Throws `QueryError` for wrong values.
    ///
    /// `charsets` apply unless the request names one.
    init(_ target: RequestTarget, charsets: CharsetRules = CharsetRules(), now: Timestamp) throws {
        func value<Value>(_ name: String, _ parse: (String, String) throws -> Value) throws -> Value? {
            try target[name].map { try parse(name, $0) }
        }
        request = LogRequest()
        request.vms = try Self.distinct(target.parameters["vm"] ?? [])
        request.all = try target.flag("all") ?? false
        request.previousInstance = try target.flag("previous-instance") ?? false
        var selection = Selection()
        selection.streams = try target.parameters["stream"].map { Set(try $0.map(RequestWords.stream)) }
        selection.since = try value("since") { try RequestWords.time($0, $1, now: now).first }
        selection.until = try value("until") { try RequestWords.time($0, $1, now: now).last }
        selection.tail = try value("tail", RequestWords.tail) ?? nil
        selection.head = try value("head", RequestWords.count)
        selection.limitBytes = try value("limit-bytes", RequestWords.limit) ?? nil
        selection.boot = try value("boot", RequestWords.boot)
        selection.severities = try target["severity"].map(RequestWords.severities)
        selection.fields = try RequestWords.fields(target.parameters["field"] ?? [])
        let ignoreCase = try target.flag("ignore-case")
        selection.pattern = try target["grep"].map {
            try RequestWords.pattern($0, ignoreCase: ignoreCase, isBounded: true)
        }
        selection.context.before = try value("before", RequestWords.context) ?? 0
        selection.context.after = try value("after", RequestWords.context) ?? 0
        try RequestWords.checkContext(of: selection, option: "before, after", filters: "grep, severity or field")
        selection.cursor = target["cursor"]
        selection.follow = try target.flag("follow") ?? false
        selection.charsets = try target["charset"].map(RequestWords.charset) ?? charsets
        request.selection = selection
        request.rendering.format = try target["format"].map(RequestWords.format) ?? .text
        request.rendering.timestamps = try target.flag("timestamps") ?? false
        request.rendering.prefix = try target.flag("prefix")
        request.rendering.color = try target.flag("color") ?? false
        request.rendering.utc = try target.flag("utc") ?? false
        request.rendering.markers = try target.flag("markers") ?? true
        isResumable = try target.flag("resumable") ?? false
    }

    /// The target of this request.
    public var target: RequestTarget { RequestTarget(["v1", "logs"], parameters) }

    var parameters: [String: [String]] {
        var parameters: [String: [String]] = [:]
        func put(_ name: String, _ value: String?) {
            if let value {
                parameters[name] = [value]
            }
        }
        func flag(_ name: String, _ value: Bool?) {
            put(name, value.map { $0 ? "1" : "0" })
        }
        let (selection, rendering) = (request.selection, request.rendering)
        parameters["vm"] = request.vms.isEmpty ? nil : request.vms
        flag("all", request.all ? true : nil)
        flag("previous-instance", request.previousInstance ? true : nil)
        parameters["stream"] = selection.streams.map { $0.map(\.text).sorted() }
        put("since", selection.since.map(\.description))
        put("until", selection.until.map(\.description))
        put("tail", selection.tail.map { String($0) })
        put("head", selection.head.map { String($0) })
        put("limit-bytes", selection.limitBytes.map { String($0) })
        put("boot", selection.boot.map { String($0) })
        put("severity", selection.severities.map(RequestWords.text))
        parameters["field"] = selection.fields.isEmpty ? nil : selection.fields.words
        put("grep", selection.pattern?.expression)
        flag("ignore-case", selection.pattern?.ignoresCase)
        put("before", selection.context.before == 0 ? nil : String(selection.context.before))
        put("after", selection.context.after == 0 ? nil : String(selection.context.after))
        put("cursor", selection.cursor)
        flag("follow", selection.follow ? true : nil)
        put("charset", selection.charsets.name)
        put("format", rendering.format.rawValue)
        flag("timestamps", rendering.timestamps ? true : nil)
        flag("prefix", rendering.prefix)
        flag("color", rendering.color ? true : nil)
        flag("utc", rendering.utc ? true : nil)
        flag("markers", rendering.markers ? nil : false)
        return parameters
    }

    /// `words` without duplicates, in order.
    private static func distinct(_ words: [String]) throws(APIError) -> [String] {
        var seen: Set<String> = []
        let distinct = words.filter { seen.insert($0).inserted }
        guard distinct.count <= LogRequest.mostVMs else {
            throw .badRequest(
                "vm: \(distinct.count) VMs are named, at most \(LogRequest.mostVMs) are allowed; name fewer, or request all"
            )
        }
        return distinct
    }
}
