// SPDX-License-Identifier: Apache-2.0

import LogModel
import Query
import TextFormats

/// Reads what an `otlp` output has sent to VictoriaLogs back by its query API (docs.victoriametrics.com/victorialogs,
/// "Querying" and "LogsQL").
struct VictoriaLogsEngine: FleetEngine {
    private let requests: FleetRequests

    var limits = FleetLimits(largestPage: 100_000)

    private static let target = "/select/logsql/query"

    init(_ requests: FleetRequests) {
        self.requests = requests
    }

    func streams(in range: Range<Int64>) async throws -> [FleetStream] {
        let names = VictoriaLogsResponse.streamFields.map(LogQLText.quoted).joined(separator: ", ")
        let query = "\(Self.time(range)) \(VictoriaLogsResponse.ours) | uniq by (\(names))"
        let body = try await requests.post(Self.target, [("query", query)])
        guard let streams = VictoriaLogsResponse.streams(in: body) else {
            throw requests.malformed("JSON lines")
        }
        return streams
    }

    func records(_ request: FleetRequest) async throws -> FleetPage {
        let body = try await requests.post(Self.target, [("query", Self.query(request))])
        guard let page = VictoriaLogsResponse.page(in: body) else {
            throw requests.malformed("JSON lines")
        }
        return page
    }

    /// The request in LogsQL.
    static func query(_ request: FleetRequest) -> String {
        var filters = [time(request.range), VictoriaLogsResponse.ours]
        if !request.areAll {
            filters.append(#""host.name":in("# + list(request.streams.map(\.vm.name)) + ")")
            filters.append(#""guestlog.stream":in("# + list(request.streams.map(\.stream.text)) + ")")
        }
        if let severities = request.severities {
            let names = list(severities.flatMap { [$0.name, OTLPModel.severityName($0)] })
            filters.append("(severity:in(\(names)) or \"guestlog.gap.reason\":*)")
        }
        return filters.joined(separator: " ")
            + " | sort by (_time\(request.isBackward ? " desc" : "")) limit \(request.limit)"
    }

    private static func time(_ range: Range<Int64>) -> String {
        let (start, end) = (range.lowerBound, range.upperBound)
        return "_time:[\(Timestamp.rfc3339(nanoseconds: start)), \(Timestamp.rfc3339(nanoseconds: end)))"
    }

    private static func list(_ words: [String]) -> String {
        Array(Set(words)).sorted().map(LogQLText.quoted).joined(separator: ",")
    }
}

/// The answers of VictoriaLogs: a JSON object in each line, whose members are texts.
enum VictoriaLogsResponse {
    /// The filter that finds what outputs have sent.
    static let ours = #""log.record.uid":* "guestlog.stream":*"#
    /// The fields that tell a stream, with its VM.
    static let streamFields = ["host.name", "host.id", "k8s.namespace.name", "guestlog.stream"]

    /// Fields that are not the record's own: ours, VictoriaLogs', and those that OpenTelemetry names.
    private static let known: Set<String> = [
        "_time", "_msg", "_stream", "_stream_id", "severity", "severity_text", "severity_number", "event_name",
        "service.name", "service.namespace", "host.name", "host.id", "k8s.namespace.name", "log.record.uid",
        "scope.name", "scope.version", "trace_id", "span_id", "flags", "dropped_attributes_count",
        "observed_timestamp",
    ]

    /// The objects of an answer; nil when the body is not one.
    private static func rows(_ body: [UInt8]) -> [JSON]? {
        var rows: [JSON] = []
        for line in body.split(separator: Lines.feed) where !line.allSatisfy({ $0 <= 0x20 }) {
            guard let row = try? JSON(parsing: line), case .object = row else {
                return nil
            }
            rows.append(row)
        }
        return rows
    }

    static func streams(in body: [UInt8]) -> [FleetStream]? { rows(body)?.compactMap(stream) }

    private static func stream(_ row: JSON) -> FleetStream? {
        func text(_ name: String) -> String? { row[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        guard let name = text("host.name"), let stream = text("guestlog.stream").flatMap(StreamName.init) else {
            return nil
        }
        let vm = VMIdentity(name: name, uuid: text("host.id"), namespace: text("k8s.namespace.name"))
        return FleetStream(vm: vm, stream: stream)
    }

    /// The answer to a query for records; nil when the body is not one.
    static func page(in body: [UInt8]) -> FleetPage? {
        rows(body).map { rows in
            FleetPage(records: rows.compactMap(record), times: rows.compactMap(time))
        }
    }

    private static func time(_ row: JSON) -> Int64? {
        row["_time"]?.text.flatMap { text in Array(text.utf8).withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) } }
    }

    /// nil for an entry that no output has sent.
    private static func record(_ row: JSON) -> FleetRecord? {
        guard let stream = stream(row), let id = row["log.record.uid"]?.text.flatMap(RecordID.init),
            let time = time(row)
        else {
            return nil
        }
        var record = FleetRecord(
            stream: stream,
            id: id,
            nanoseconds: time,
            text: Array((row["_msg"]?.text ?? "").utf8)
        )
        record.severity = row["severity"]?.text.flatMap(OTLPModel.severity(named:))
        record.isPartial = row["guestlog.partial"] != nil
        RecordDetails.add({ row[$0]?.text }, to: &record)
        if case .object(let members) = row, record.event == nil {
            for (name, value) in members where !known.contains(name) && !name.hasPrefix(RecordDetails.prefix) {
                record.fields.append(StructuredRecord.Field(name, value.text ?? ""))
            }
        }
        return record
    }
}
