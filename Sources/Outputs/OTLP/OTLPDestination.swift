// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel

/// The settings of an OTLP output (OTLP/HTTP: opentelemetry.io/docs/specs/otlp).
public struct OTLPSettings: Hashable, Sendable {
    public var http: HTTPOutputSettings
    /// Whether JSON is sent instead of protobuf, for debugging.
    public var usesJSON = false

    public init(_ http: HTTPOutputSettings) {
        self.http = http
    }
}

/// Sends records as OpenTelemetry's logs.
struct OTLPDestination: OutputDestination {
    private let http: HTTPOutput
    private let encoder: any OTLPEncoder
    private let target: String

    /// The path of the endpoint when the URL has none.
    private static let defaultPath = "/v1/logs"

    init(_ settings: OTLPSettings) {
        http = HTTPOutput(settings.http)
        encoder = settings.usesJSON ? OTLPJSONEncoder() : OTLPProtobufEncoder()
        target = settings.http.endpoint.path.isEmpty ? Self.defaultPath : ""
    }

    func encode(_ origin: RecordOrigin) -> [UInt8] { encoder.resource(of: origin) }

    func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        encoder.append(record, to: &out)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        switch await http.post(target, encoder.contentType, encoder.request(items, of: batch)) {
        case .success(let response):
            let partial = encoder.partialSuccess(in: response.body)
            return .accepted(refused: partial.rejected, reason: partial.message)
        case .failure(let result, _):
            return result
        }
    }

    func close() async {
        http.close()
    }
}

/// One of OTLP's two forms.
protocol OTLPEncoder: Sendable {
    var contentType: String { get }
    func resource(of origin: RecordOrigin) -> [UInt8]
    func append(_ record: OutputRecord, to out: inout [UInt8])
    func request(_ items: [Int], of batch: OutputBatch) -> [UInt8]
    /// The records that a successful response says were rejected, and why.
    func partialSuccess(in body: [UInt8]) -> (rejected: Int, message: String?)
}

/// What both forms say about a record, by OpenTelemetry's semantic conventions.
enum OTLPModel {
    static let scope = "guestlog"

    /// The attributes of the VM and the stream.
    static func resource(of origin: RecordOrigin) -> [(key: String, value: String)] {
        let vm = origin.vm
        var attributes = [
            ("service.name", vm.name), ("host.name", vm.name), ("guestlog.stream", origin.stream.stream.text),
        ]
        if let uuid = vm.uuid {
            attributes.append(("host.id", uuid))
        }
        if let namespace = vm.namespace {
            attributes.append(("service.namespace", namespace))
            attributes.append(("k8s.namespace.name", namespace))
        }
        return attributes
    }

    /// The names of the attributes of records and resources, which some receivers join, and those of VictoriaLogs.
    static let reserved = ReservedNames(
        "service.name",
        "host.name",
        "host.id",
        "service.namespace",
        "k8s.namespace.name",
        "log.record.uid",
        "_msg",
        "_time",
        "_stream",
        "_stream_id"
    )

    /// The attributes of a record apart from its fields.
    static func attributes(of record: OutputRecord) -> [(key: String, value: String)] {
        var attributes = [("log.record.uid", record.id)]
        if record.isPartial {
            attributes.append(("guestlog.partial", "true"))
        }
        for detail in RecordDetails.details(of: record) {
            attributes.append((detail.name, detail.value))
        }
        return attributes
    }

    /// The number of a severity (Logs Data Model, appendix B, syslog); nil when the record states none.
    static func severity(of record: OutputRecord) -> (number: UInt64, text: String)? {
        guard record.severity != nil || record.event != nil else {
            return nil
        }
        let severity = record.effectiveSeverity
        return (number(of: severity), severity.name)
    }

    private static func number(of severity: Severity) -> UInt64 {
        switch severity {
        case .debug: 5
        case .informational: 9
        case .notice: 10
        case .warning: 13
        case .error: 17
        case .critical: 18
        case .alert: 19
        case .emergency: 21
        }
    }

    /// What engines that drop the text call a severity: the short name of its number (Logs Data Model, "Displaying
    /// Severity").
    static func severityName(_ severity: Severity) -> String {
        switch severity {
        case .debug: "Debug"
        case .informational: "Info"
        case .notice: "Info2"
        case .warning: "Warn"
        case .error: "Error"
        case .critical: "Error2"
        case .alert: "Error3"
        case .emergency: "Fatal"
        }
    }

    /// The severity that an engine calls `name`: its text, or the name of its number; nil for other names.
    static func severity(named name: String) -> Severity? {
        let word = name.lowercased()
        return Severity.allCases.first { severityName($0).lowercased() == word } ?? Severity(word: word)
    }

    /// The name of an event; nil for a line.
    static func eventName(of record: OutputRecord) -> String? { record.event.map { "guestlog.\($0.name)" } }
}
