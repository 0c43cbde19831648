// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// OTLP in JSON, for debugging: names in lowerCamelCase, 64-bit numbers as strings (OTLP, "JSON Protobuf Encoding").
struct OTLPJSONEncoder: OTLPEncoder {
    let contentType = "application/json"

    func resource(of origin: RecordOrigin) -> [UInt8] {
        JSON.object([("attributes", Self.attributes(OTLPModel.resource(of: origin)))]).bytes
    }

    func append(_ record: OutputRecord, to out: inout [UInt8]) {
        var members: [(String, JSON)] = [
            ("timeUnixNano", .string(String(record.time))), ("observedTimeUnixNano", .string(String(record.time))),
        ]
        if let severity = OTLPModel.severity(of: record) {
            members.append(("severityNumber", .integer(Int64(severity.number))))
            members.append(("severityText", .string(severity.text)))
        }
        members.append(("body", Self.value(String(decoding: record.text, as: UTF8.self))))
        let fields = OTLPModel.reserved.fields(of: record).map { field in
            let texts = field.values.map { String(decoding: $0, as: UTF8.self) }
            return (String(decoding: field.name, as: UTF8.self), texts.joined(separator: "\n"))
        }
        members.append(("attributes", Self.attributes(OTLPModel.attributes(of: record) + fields)))
        if let name = OTLPModel.eventName(of: record) {
            members.append(("eventName", .string(name)))
        }
        JSON.object(members).append(to: &out)
    }

    private static func value(_ text: String) -> JSON { .object([("stringValue", .string(text))]) }

    private static func attributes(_ pairs: [(key: String, value: String)]) -> JSON {
        .array(pairs.map { .object([("key", .string($0.key)), ("value", value($0.value))]) })
    }

    func request(_ items: [Int], of batch: OutputBatch) -> [UInt8] {
        var request = Array(#"{"resourceLogs":["#.utf8)
        for (index, run) in batch.runs(of: items).enumerated() {
            request += Array((index == 0 ? "" : ",").utf8)
            request += Array(#"{"resource":"#.utf8) + run.origin.encoded
            request += Array(#","scopeLogs":[{"scope":{"name":"\#(OTLPModel.scope)"},"logRecords":["#.utf8)
            for (number, item) in run.items.enumerated() {
                if number > 0 {
                    request.append(UInt8(ascii: ","))
                }
                batch.append(item, to: &request)
            }
            request += Array("]}]}".utf8)
        }
        return request + Array("]}".utf8)
    }

    func partialSuccess(in body: [UInt8]) -> (rejected: Int, message: String?) {
        guard let partial = (try? JSON(parsing: body))?["partialSuccess"] else {
            return (0, nil)
        }
        let rejected = partial["rejectedLogRecords"]
        let count = rejected?.integer ?? rejected?.text.flatMap { Int64($0) } ?? 0
        let message = partial["errorMessage"]?.text
        return (Int(clamping: count), message?.isEmpty == true ? nil : message)
    }
}
