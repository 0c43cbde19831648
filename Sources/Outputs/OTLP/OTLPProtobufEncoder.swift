// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// OTLP in protobuf: opentelemetry/proto/logs/v1/logs.proto, whose field numbers are the numbers here.
struct OTLPProtobufEncoder: OTLPEncoder {
    let contentType = "application/x-protobuf"

    private static let scope: [UInt8] = {
        var scope: [UInt8] = []
        ProtobufWriter.append(1, bytes: OTLPModel.scope.utf8, to: &scope)
        return scope
    }()

    /// `Resource`: attributes = 1.
    func resource(of origin: RecordOrigin) -> [UInt8] {
        var resource: [UInt8] = []
        for (key, value) in OTLPModel.resource(of: origin) {
            Self.append(1, key.utf8, to: &resource) { ProtobufWriter.append(1, bytes: value.utf8, to: &$0) }
        }
        return resource
    }

    /// `ScopeLogs.log_records` = 2, with a `LogRecord`: time_unix_nano = 1, severity_number = 2, severity_text = 3,
    /// body = 5, attributes = 6, observed_time_unix_nano = 11, event_name = 12.
    func append(_ record: OutputRecord, to out: inout [UInt8]) {
        ProtobufWriter.append(2, to: &out) { out in
            let time = UInt64(bitPattern: record.time)
            ProtobufWriter.append(1, fixed64: time, to: &out)
            ProtobufWriter.append(11, fixed64: time, to: &out)
            if let severity = OTLPModel.severity(of: record) {
                ProtobufWriter.append(2, varint: severity.number, to: &out)
                ProtobufWriter.append(3, bytes: severity.text.utf8, to: &out)
            }
            ProtobufWriter.append(5, to: &out) { out in
                ProtobufWriter.append(1, to: &out) { UTF8Text.append(record.text, to: &$0) }
            }
            for (key, value) in OTLPModel.attributes(of: record) {
                Self.append(6, key.utf8, to: &out) { ProtobufWriter.append(1, bytes: value.utf8, to: &$0) }
            }
            for field in OTLPModel.reserved.fields(of: record) {
                Self.append(6, field.name, to: &out) { Self.append(values: field.values, to: &$0) }
            }
            if let name = OTLPModel.eventName(of: record) {
                ProtobufWriter.append(12, bytes: name.utf8, to: &out)
            }
        }
    }

    /// Appends a `KeyValue` (key = 1, value = 2), whose `AnyValue` `body` appends.
    private static func append(
        _ field: UInt64,
        _ key: some Collection<UInt8>,
        to out: inout [UInt8],
        _ body: (inout [UInt8]) -> Void
    ) {
        ProtobufWriter.append(field, to: &out) { out in
            ProtobufWriter.append(1, to: &out) { UTF8Text.append(Array(key), to: &$0) }
            ProtobufWriter.append(2, to: &out, body)
        }
    }

    /// Appends the contents of an `AnyValue`: string_value = 1, bytes_value = 7, array_value = 5 with values = 1.
    private static func append(values: [[UInt8]], to out: inout [UInt8]) {
        guard values.count != 1 else {
            return append(value: values[0], to: &out)
        }
        ProtobufWriter.append(5, to: &out) { out in
            for value in values {
                ProtobufWriter.append(1, to: &out) { append(value: value, to: &$0) }
            }
        }
    }

    private static func append(value: [UInt8], to out: inout [UInt8]) {
        let isText = String(validating: value, as: UTF8.self) != nil
        ProtobufWriter.append(isText ? 1 : 7, bytes: value, to: &out)
    }

    /// `ExportLogsServiceRequest`: resource_logs = 1, each with resource = 1 and scope_logs = 2, each with scope = 1 and
    /// log_records = 2.
    func request(_ items: [Int], of batch: OutputBatch) -> [UInt8] {
        var request: [UInt8] = []
        request.reserveCapacity(batch.bytes.count + 1024)
        for run in batch.runs(of: items) {
            let size = run.items.reduce(0) { $0 + batch.items[$1].range.count }
            var head: [UInt8] = []
            ProtobufWriter.append(1, bytes: Self.scope, to: &head)
            var outer: [UInt8] = []
            ProtobufWriter.append(1, bytes: run.origin.encoded, to: &outer)
            // The key of scope_logs, and its length.
            outer.append(2 << 3 | 2)
            outer.append(varint: UInt64(head.count + size))
            request.append(1 << 3 | 2)
            request.append(varint: UInt64(outer.count + head.count + size))
            request += outer
            request += head
            for item in run.items {
                batch.append(item, to: &request)
            }
        }
        return request
    }

    /// `ExportLogsServiceResponse`: partial_success = 1, with rejected_log_records = 1 and error_message = 2.
    func partialSuccess(in body: [UInt8]) -> (rejected: Int, message: String?) {
        var result: (rejected: Int, message: String?) = (0, nil)
        body.withUnsafeBytes { body in
            var response = ProtobufReader(body)
            // What follows a fault is not read.
            while let (field, value) = try? response.next() {
                var partial = ProtobufReader(field == 1 ? value.bytes : UnsafeRawBufferPointer(start: nil, count: 0))
                while let (field, value) = try? partial.next() {
                    switch (field, value) {
                    case (1, .number(let count)): result.rejected = Int(clamping: Int64(bitPattern: count))
                    case (2, .bytes(let text)) where !text.isEmpty:
                        result.message = String(decoding: text, as: UTF8.self)
                    default: break
                    }
                }
            }
        }
        return result
    }
}
