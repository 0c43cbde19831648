// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOConcurrencyHelpers
import TestServers
import TestSupport

@testable import Outputs

/// An entry of a stand-in for a log engine: its stream's labels, and everything else that it knows of it.
struct StandInEntry: Sendable {
    var time: Int64
    var text: String
    var labels: [(String, String)]
    var fields: [(String, String)]

    subscript(name: String) -> String? { (labels + fields).first { $0.0 == name }?.1 }
}

/// What both stand-ins have in common: entries, and answers that honour times and limits and nothing else about order:
/// entries of one time come as it happens.
final class StandInEntries: Sendable {
    private let contents = NIOLockedValueBox<(entries: [StandInEntry], random: SeededGenerator)>(
        ([], SeededGenerator(seed: 1))
    )
    private let largest = NIOLockedValueBox(0)

    var count: Int { contents.withLockedValue { $0.entries.count } }
    /// The most entries of one answer.
    var largestAnswer: Int { largest.withLockedValue { $0 } }

    func add(_ entry: StandInEntry) {
        contents.withLockedValue { $0.entries.append(entry) }
    }

    var all: [StandInEntry] { contents.withLockedValue { $0.entries } }

    func answer(
        _ range: Range<Int64>,
        limit: Int,
        isBackward: Bool,
        _ isWanted: (StandInEntry) -> Bool
    ) -> [StandInEntry] {
        contents.withLockedValue { contents in
            var found = contents.entries.filter { range.contains($0.time) && isWanted($0) }
            found.shuffle(using: &contents.random)
            found.sort { isBackward ? $0.time > $1.time : $0.time < $1.time }
            let answer = Array(found.prefix(limit))
            largest.withLockedValue { $0 = max($0, answer.count) }
            return answer
        }
    }
}

/// The words of a posted form.
func formWords(_ request: StandInServer.Request) -> [String: String] {
    let pairs = request.text.split(separator: "&").map { pair -> (String, String) in
        let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(halves[0]), String(decoding: PercentEncoding.decode(halves[1]) ?? [], as: UTF8.self))
    }
    return Dictionary(pairs) { $1 }
}

/// The strings in double quotes of `text`, without their escapes.
func quotedWords(_ text: some StringProtocol) -> [String] {
    var words: [String] = []
    var word: String?
    var isEscaped = false
    for character in text {
        if isEscaped {
            word?.append(character)
            isEscaped = false
        } else if character == "\\" {
            isEscaped = true
        } else if character == "\"" {
            if let whole = word { words.append(whole) }
            word = word == nil ? "" : nil
        } else {
            word?.append(character)
        }
    }
    return words
}

private func object(_ members: [(String, String)]) -> JSON { .object(members.map { ($0.0, .string($0.1)) }) }

/// A stand-in for Loki: the push API, series, and ranges with the selectors that `LokiEngine` writes.
final class StandInLoki: Sendable {
    let entries = StandInEntries()
    /// Whether answers tell labels and metadata apart, as since Loki 3.
    let tellsLabels: Bool

    init(tellsLabels: Bool = true) {
        self.tellsLabels = tellsLabels
    }

    func take(_ request: StandInServer.Request) -> StandInServer.Answer {
        switch request.target {
        case "/loki/api/v1/push": return push(request)
        case "/loki/api/v1/series": return series(formWords(request))
        case "/loki/api/v1/query_range": return range(formWords(request))
        default: return .status(404)
        }
    }

    private func push(_ request: StandInServer.Request) -> StandInServer.Answer {
        for stream in (try? JSON(parsing: request.body))?["streams"]?.elements ?? [] {
            for value in stream["values"]?.elements ?? [] {
                guard let parts = value.elements, parts.count == 3, let time = parts[0].text.flatMap({ Int64($0) }),
                    let text = parts[1].text
                else {
                    return .status(400, body: "malformed")
                }
                entries.add(
                    StandInEntry(time: time, text: text, labels: texts(stream["stream"]), fields: texts(parts[2]))
                )
            }
        }
        return .status(204)
    }

    private func texts(_ json: JSON?) -> [(String, String)] {
        guard case .object(let members)? = json else {
            return []
        }
        return members.map { ($0.0, $0.1.text ?? "") }
    }

    private func bounds(_ form: [String: String]) -> Range<Int64>? {
        guard let start = form["start"].flatMap({ Int64($0) }), let end = form["end"].flatMap({ Int64($0) }),
            start <= end
        else {
            return nil
        }
        return start..<end
    }

    private func series(_ form: [String: String]) -> StandInServer.Answer {
        guard let bounds = bounds(form), bounds.count <= 30 * 86_400_000_000_000 else {
            return .status(400, body: "the query time range exceeds the limit")
        }
        var labels: [[(String, String)]] = []
        for entry in entries.all where bounds.contains(entry.time) {
            if !labels.contains(where: { $0.elementsEqual(entry.labels) { $0 == $1 } }) {
                labels.append(entry.labels)
            }
        }
        return .bytes(JSON.object([("status", .string("success")), ("data", .array(labels.map(object)))]).bytes)
    }

    private func range(_ form: [String: String]) -> StandInServer.Answer {
        guard let bounds = bounds(form), bounds.count <= 30 * 86_400_000_000_000,
            let limit = form["limit"].flatMap({ Int($0) }),
            limit <= 5000, let query = form["query"], let close = query.firstIndex(of: "}")
        else {
            return .status(400, body: "the query time range or the limit exceeds the limit")
        }
        let selectors = quotedWords(query[..<close]).map { $0.split(separator: "|").map(String.init) }
        let levels = quotedWords(query[close...]).first?.split(separator: "|").map(String.init)
        let found = entries.answer(bounds, limit: limit, isBackward: form["direction"] == "backward") { entry in
            zip(["vm", "stream"], selectors).allSatisfy { name, wanted in
                wanted == [".+"] || wanted.map { $0.replacing("\\", with: "") }.contains(entry[name] ?? "")
            } && levels.map { $0.contains(entry["level"] ?? "") || entry["event"] == "gap" } ?? true
        }
        // A result for each entry is what different metadata lead to.
        let results = found.map { entry -> JSON in
            let base: [JSON] = [.string(String(entry.time)), .string(entry.text)]
            let metadata = JSON.object([("structuredMetadata", object(entry.fields))])
            let labels = tellsLabels ? entry.labels : entry.labels + entry.fields
            return .object([
                ("stream", object(labels)), ("values", .array([.array(tellsLabels ? base + [metadata] : base)])),
            ])
        }
        let data = JSON.object([("resultType", .string("streams")), ("result", .array(results))])
        return .bytes(JSON.object([("status", .string("success")), ("data", data)]).bytes)
    }
}

/// A stand-in for VictoriaLogs: OTLP in JSON, and the queries that `VictoriaLogsEngine` writes.
final class StandInVictoriaLogs: Sendable {
    let entries = StandInEntries()

    func take(_ request: StandInServer.Request) -> StandInServer.Answer {
        switch request.target {
        case "/insert/opentelemetry/v1/logs": return insert(request)
        case "/select/logsql/query": return query(formWords(request)["query"] ?? "")
        default: return .status(404)
        }
    }

    private func insert(_ request: StandInServer.Request) -> StandInServer.Answer {
        for resource in (try? JSON(parsing: request.body))?["resourceLogs"]?.elements ?? [] {
            let labels = attributes(resource["resource"]?["attributes"])
            for record in resource["scopeLogs"]?.elements?.flatMap({ $0["logRecords"]?.elements ?? [] }) ?? [] {
                guard let time = record["timeUnixNano"]?.text.flatMap({ Int64($0) }) else {
                    return .status(400, body: "malformed")
                }
                // The engine drops the text of a severity, and names its number.
                let severity = record["severityText"]?.text.flatMap { Severity(word: $0) }.map(OTLPModel.severityName)
                let fields = attributes(record["attributes"]) + [("severity", severity ?? "Unspecified")]
                let text = record["body"]?["stringValue"]?.text ?? ""
                entries.add(StandInEntry(time: time, text: text, labels: labels, fields: fields))
            }
        }
        return .status(200)
    }

    private func attributes(_ json: JSON?) -> [(String, String)] {
        (json?.elements ?? []).map { ($0["key"]?.text ?? "", $0["value"]?["stringValue"]?.text ?? "") }
    }

    /// The text of `query` between two words; nil when they are not there.
    private func part(_ query: String, from start: String, to end: String) -> Substring? {
        guard let first = query.firstRange(of: start), let last = query[first.upperBound...].firstRange(of: end) else {
            return nil
        }
        return query[first.upperBound..<last.lowerBound]
    }

    private func query(_ query: String) -> StandInServer.Answer {
        guard let times = part(query, from: "_time:[", to: ")")?.split(separator: ", "), times.count == 2,
            let start = nanoseconds(times[0]), let end = nanoseconds(times[1]), start <= end
        else {
            return .status(400, body: "cannot parse the query")
        }
        guard let limit = query.firstRange(of: " limit ").flatMap({ Int(query[$0.upperBound...]) }) else {
            return streams(start..<end)
        }
        let vms = part(query, from: #""host.name":in("#, to: ")").map { quotedWords($0) }
        let names = part(query, from: #""guestlog.stream":in("#, to: ")").map { quotedWords($0) }
        let severities = part(query, from: "(severity:in(", to: ")").map { quotedWords($0) }
        let found = entries.answer(start..<end, limit: limit, isBackward: query.contains("(_time desc)")) { entry in
            (vms?.contains(entry["host.name"] ?? "") ?? true)
                && (names?.contains(entry["guestlog.stream"] ?? "") ?? true)
                && (severities?.contains(entry["severity"] ?? "") ?? true || entry["guestlog.gap.reason"] != nil)
        }
        let rows = found.map { entry -> [UInt8] in
            let stamp = Timestamp.rfc3339(nanoseconds: entry.time)
            return object([("_time", stamp), ("_msg", entry.text)] + entry.labels + entry.fields).bytes + [Lines.feed]
        }
        return .bytes(rows.flatMap { $0 })
    }

    private func nanoseconds(_ text: Substring) -> Int64? {
        Array(text.utf8).withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) }
    }

    private func streams(_ range: Range<Int64>) -> StandInServer.Answer {
        var rows: Set<[UInt8]> = []
        for entry in entries.all where range.contains(entry.time) {
            let names = VictoriaLogsResponse.streamFields
            rows.insert(object(names.map { ($0, entry[$0] ?? "") }).bytes)
        }
        return .bytes(rows.flatMap { $0 + [Lines.feed] })
    }
}
