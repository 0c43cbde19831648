// SPDX-License-Identifier: Apache-2.0

import Gzip
import HTTPClient
import LogModel
import Query
import TextFormats

@testable import Outputs

// Parsers of what receivers of outputs answer.
extension FuzzTarget {
    static func messagePack(_ bytes: [UInt8]) throws {
        var reader = MessagePackReader(bytes[...])
        var last = 0
        while let _ = try? reader.next() {
            try require(reader.at > last && reader.at <= bytes.count, "a value without bytes")
            last = reader.at
        }
        try require(reader.at == last, "a failed read has moved")
    }

    static func gzip(_ bytes: [UInt8]) throws {
        let limit = 1 << 20
        if let text = try? Gzip.decompress(bytes, limit: limit) {
            try require(text.count <= limit, "more than the limit")
        }
        let compressed = try Gzip.compress(bytes)
        try require(try Gzip.decompress(compressed, limit: limit) == bytes, "the text changes")
    }

    /// The answers to requests: OTLP's in both forms, the bulk API's, Loki's and RELP's; those to queries of Loki and VictoriaLogs; and the file of positions.
    static func answers(_ bytes: [UInt8]) throws {
        _ = OTLPProtobufEncoder().partialSuccess(in: bytes)
        _ = OTLPJSONEncoder().partialSuccess(in: bytes)
        _ = BulkResponse.result(of: bytes)
        if let refused = LokiDestination.refused(in: bytes, of: 10) {
            try require((0...10).contains(refused.count), "more refused than sent")
        }
        _ = LokiResponse.streams(in: bytes)
        let pages = [LokiResponse.page(in: bytes), VictoriaLogsResponse.page(in: bytes)].compactMap(\.self)
        let records = pages.flatMap(\.records)
        _ = VictoriaLogsResponse.streams(in: bytes)
        for record in records {
            try require(RecordID(record.id.description) == record.id, "an id changes when it is written")
        }
        if let id = RecordID(String(decoding: bytes, as: UTF8.self)) {
            try require(RecordID(id.description) == id, "an id changes when it is written")
        }
        _ = RetryAfter.delay(String(decoding: bytes, as: UTF8.self), now: Timestamp(microseconds: 0))
        var relp = RELPReader()
        relp.append(bytes)
        while (try? relp.next()) ?? nil != nil {}
        if case .progress(let progress, let scope) = OutputState.parse(bytes) {
            guard case .progress(progress, scope) = OutputState.parse(OutputState.text(of: progress, scope)) else {
                throw Violation(description: "positions change when they are written")
            }
        }
        var text: [UInt8] = []
        bytes.withUnsafeBytes { SyslogText.append($0, to: &text) }
        let isText = String(validating: text, as: UTF8.self) != nil
        try require(isText && !text.contains { $0 < 0x20 }, "the text has control characters, or is not UTF-8")
    }
}
