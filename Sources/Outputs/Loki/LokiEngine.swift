// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1
import Query
import TextFormats

/// Reads what a `loki` output has sent back by Loki's query API (grafana.com/docs/loki, "HTTP API").
struct LokiEngine: FleetEngine {
    private let requests: FleetRequests

    /// Loki refuses more than 5,000 entries and more than 30 days and an hour, unless it is configured so.
    var limits = FleetLimits(longestRange: 30 * 86_400_000_000_000, reach: 400 * 86_400_000_000_000)

    init(_ requests: FleetRequests) {
        self.requests = requests
    }

    func streams(in range: Range<Int64>) async throws -> [FleetStream] {
        var found: Set<FleetStream> = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = start + min(limits.longestRange, range.upperBound - start)
            let form = [("match[]", #"{vm=~".+",stream=~".+"}"#), ("start", String(start)), ("end", String(end))]
            let body = try await requests.post("/loki/api/v1/series", form)
            guard let streams = LokiResponse.streams(in: body) else {
                throw requests.malformed("Loki's series")
            }
            found.formUnion(streams)
            start = end
        }
        return Array(found)
    }

    func records(_ request: FleetRequest) async throws -> FleetPage {
        let form = [
            ("query", Self.query(request)), ("start", String(request.range.lowerBound)),
            ("end", String(request.range.upperBound)), ("limit", String(request.limit)),
            ("direction", request.isBackward ? "backward" : "forward"),
        ]
        let body = try await requests.post(
            "/loki/api/v1/query_range",
            form,
            headers: ["X-Loki-Response-Encoding-Flags": "categorize-labels"]
        )
        guard let page = LokiResponse.page(in: body) else {
            throw requests.malformed("Loki's log lines")
        }
        return page
    }

    /// The request in LogQL.
    static func query(_ request: FleetRequest) -> String {
        var matchers = [#"vm=~".+""#, #"stream=~".+""#]
        if !request.areAll {
            matchers = [
                "vm=~" + quoted(oneOf: request.streams.map(\.vm.name)),
                "stream=~" + quoted(oneOf: request.streams.map(\.stream.text)),
            ]
        }
        var query = "{" + matchers.joined(separator: ",") + "}"
        if let severities = request.severities {
            query += " | level=~" + quoted(oneOf: severities.map(\.name)) + #" or event="gap""#
        }
        return query
    }

    /// A regular expression that matches exactly one of `words` (RE2), as a string of LogQL.
    private static func quoted(oneOf words: [String]) -> String {
        let escaped = Array(Set(words)).sorted().map { word in
            word.unicodeScalars.map { #"\.+*?()|[]{}^$"#.unicodeScalars.contains($0) ? "\\" + String($0) : String($0) }
                .joined()
        }
        return LogQLText.quoted(escaped.joined(separator: "|"))
    }
}

/// Strings of LogQL and LogsQL, which both have those of Go.
enum LogQLText {
    /// `text` in double quotes.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\" + String(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + (digits.count == 1 ? "0" : "") + digits
            default: quoted += String(scalar)
            }
        }
        return quoted + "\""
    }
}

/// The answers of Loki.
enum LokiResponse {
    /// Metadata of a record that is no field of it; Loki adds the last two.
    private static let known: Set<String> = [
        "id", "level", "event", "partial", "uuid", "vm", "namespace", "stream", "detected_level", "service_name",
    ]

    /// The streams of an answer to `/series`; nil when the body is not one.
    static func streams(in body: [UInt8]) -> [FleetStream]? {
        (try? JSON(parsing: body))?["data"]?.elements?.compactMap(stream)
    }

    /// The stream with these labels; nil when they are another program's.
    private static func stream(_ labels: JSON) -> FleetStream? {
        guard let name = labels["vm"]?.text, let stream = labels["stream"]?.text.flatMap(StreamName.init) else {
            return nil
        }
        return FleetStream(vm: VMIdentity(name: name, namespace: labels["namespace"]?.text), stream: stream)
    }

    /// The answer to `/query_range`; nil when the body is not one.
    static func page(in body: [UInt8]) -> FleetPage? {
        guard let data = (try? JSON(parsing: body))?["data"], data["resultType"]?.text == "streams",
            let results = data["result"]?.elements
        else {
            return nil
        }
        var page = FleetPage()
        for result in results {
            let labels = result["stream"] ?? .object([])
            let stream = stream(labels)
            for entry in result["values"]?.elements?.compactMap(\.elements) ?? [] {
                guard let time = entry.first?.text.flatMap({ Int64($0) }), time >= 0 else {
                    continue
                }
                page.times.append(time)
                if let stream, let record = record(entry, at: time, labels, stream) {
                    page.records.append(record)
                }
            }
        }
        return page
    }

    /// An entry: the time, the line and, in answers that tell labels and metadata apart, the metadata; nil for one that no
    /// output has sent.
    private static func record(_ entry: [JSON], at time: Int64, _ labels: JSON, _ stream: FleetStream) -> FleetRecord? {
        guard entry.count >= 2, let text = entry[1].text else {
            return nil
        }
        let metadata = entry.count > 2 ? entry[2]["structuredMetadata"] ?? .object([]) : labels
        guard let id = metadata["id"]?.text.flatMap(RecordID.init), id.stream.stream == stream.stream else {
            return nil
        }
        var record = FleetRecord(stream: stream, id: id, nanoseconds: time, text: Array(text.utf8))
        record.severity = metadata["level"]?.text.flatMap { Severity(word: $0) }
        record.isPartial = metadata["partial"] != nil
        RecordDetails.add({ metadata[$0.replacing(".", with: "_")]?.text }, to: &record)
        if case .object(let members) = metadata, record.event == nil {
            let prefix = RecordDetails.prefix.replacing(".", with: "_")
            // Where labels are among the metadata, those of the configuration look like fields; the usual one is known.
            let isLabel: (String) -> Bool = entry.count > 2 ? { labels[$0] != nil } : { $0 == "job" }
            for (name, value) in members where !known.contains(name) && !name.hasPrefix(prefix) && !isLabel(name) {
                record.fields.append(StructuredRecord.Field(name, value.text ?? ""))
            }
        }
        return record
    }
}
