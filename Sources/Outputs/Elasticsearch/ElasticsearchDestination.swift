// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import LogStore
import TextFormats

/// The settings of an output to Elasticsearch, OpenSearch, or what understands their bulk API.
public struct ElasticsearchSettings: Hashable, Sendable {
    public var http: HTTPOutputSettings
    /// The data stream, or the index.
    public var index = "logs-guestlog-default"

    public init(_ http: HTTPOutputSettings) {
        self.http = http
    }

    /// Why `index` cannot be the name of an index, and what to do; nil when it can. A name in `<` and `>` is computed by the
    /// receiver.
    public static func fault(inIndex index: String) -> String? {
        if index.hasPrefix("<"), index.hasSuffix(">") {
            return nil
        }
        if index.contains("%") {
            return "'\(index)': % has no meaning in the name of an index: remove it; a data stream needs no date"
        }
        let isValid =
            (1...255).contains(index.utf8.count) && ![".", ".."].contains(index) && index == index.lowercased()
            && !"-_+".contains(index.prefix(1)) && !index.contains { $0.isWhitespace || #"\/*?"<>|,#:"#.contains($0) }
        return isValid
            ? nil
            : "Elasticsearch refuses the index '\(index)': use lower-case letters, digits, - . and _, with a letter, a digit "
                + "or . at the beginning"
    }
}

/// Sends records as documents by the bulk API (elastic.co, "Bulk API").
///
/// Each is created under its own id, so that a repeat is refused as a duplicate, which counts as delivered. In a data
/// stream that holds for the current backing index only: a repeat after a rollover is stored twice, with the same id.
struct ElasticsearchDestination: OutputDestination {
    private let http: HTTPOutput
    private let target: String

    /// Only what is evaluated: an answer with all of each item is larger than the request.
    private static let filter = "filter_path=errors,items.*.status,items.*.error,items.*.failure_store"

    init(_ settings: ElasticsearchSettings) {
        http = HTTPOutput(settings.http)
        let index = PercentEncoding.uri.encode(settings.index)
        target = "/\(index)/_bulk?\(Self.filter)"
    }

    func encode(_ origin: RecordOrigin) -> [UInt8] {
        let vm = origin.vm
        var host: [(String, JSON)] = [("name", .string(vm.name))]
        if let uuid = vm.uuid {
            host.append(("id", .string(uuid)))
        }
        var stream: [(String, JSON)] = [("stream", .string(origin.stream.stream.text))]
        if let namespace = vm.namespace {
            stream.append(("namespace", .string(namespace)))
        }
        let members = JSON.object([("host", .object(host)), ("guestlog", .object(stream))]).bytes
        // The record adds members of its own to both, and ends the outer one.
        return Array(members.dropFirst().dropLast(2))
    }

    func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        let id = record.id
        out.append(contentsOf: #"{"create":{"_id":"#.utf8)
        JSON.append(id, to: &out)
        out.append(contentsOf: "}}\n{\"@timestamp\":\"".utf8)
        out.append(contentsOf: Timestamp.rfc3339(nanoseconds: record.time).utf8)
        out.append(UInt8(ascii: "\""))
        JSONFieldWriter.append("message", record.text, to: &out)
        if record.severity != nil || record.event != nil {
            out.append(contentsOf: #","log":{"level":""#.utf8)
            out.append(contentsOf: record.effectiveSeverity.name.utf8)
            out.append(contentsOf: "\"}".utf8)
        }
        out.append(contentsOf: #","event":{"id":"#.utf8)
        JSON.append(id, to: &out)
        if let event = record.event {
            JSONFieldWriter.append("action", "guestlog." + event.name, to: &out)
        }
        out.append(contentsOf: "},".utf8)
        out.append(contentsOf: record.origin.encoded)
        out.append(contentsOf: #","offset":\#(record.position.offset)"#.utf8)
        if record.isPartial {
            out.append(contentsOf: #","partial":true"#.utf8)
        }
        if let loss = record.event?.loss {
            JSONFieldWriter.append("reason", loss.reason.description, to: &out)
            out.append(contentsOf: (loss.bytes.map { #","lost_bytes":\#($0)"# } ?? "").utf8)
        }
        out.append(UInt8(ascii: "}"))
        if let fields = record.fields {
            JSONFieldWriter.append(object: fields, to: &out)
        }
        out.append(contentsOf: "}\n".utf8)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        var body: [UInt8] = []
        body.reserveCapacity(batch.bytes.count)
        for item in items {
            batch.append(item, to: &body)
        }
        switch await http.post(target, "application/x-ndjson", body) {
        case .success(let response): return BulkResponse.result(of: response.body)
        case .failure(let result, _): return result
        }
    }

    func close() async {
        http.close()
    }
}

/// The answer to a bulk request: a result for each item, in the order of the request.
enum BulkResponse {
    static func result(of body: [UInt8]) -> SendResult {
        guard let answer = try? JSON(parsing: body) else {
            return .unavailable("the answer to a bulk request is not JSON")
        }
        guard let items = answer["items"]?.elements, !items.isEmpty else {
            // Some receivers list items only when there are errors.
            return answer["errors"]?.bool == false
                ? .accepted() : .unavailable("the answer to a bulk request has no items")
        }
        return .items(items.map(result))
    }

    private static func result(of item: JSON) -> ItemResult {
        guard case .object(let members) = item, let outcome = members.first?.1, let status = outcome["status"]?.integer
        else {
            return .retry("an item of the answer has no status")
        }
        switch status {
        case 200..<300:
            let isDiverted = outcome["failure_store"]?.text == "used"
            return isDiverted ? .diverted("stored in the failure store" + reason(outcome)) : .delivered
        case 409:
            // It is there already.
            return .delivered
        case 401, 403, 404, 429, 500...:
            // 403 is also a full disk: the index is read-only then. 404 is an index that does not exist yet.
            return .retry("the receiver answered \(status) for a document" + reason(outcome))
        default:
            return .refused("the receiver answered \(status)" + reason(outcome))
        }
    }

    private static func reason(_ outcome: JSON) -> String {
        let error = outcome["error"]
        let words = [error?["type"]?.text, error?["reason"]?.text ?? error?.text].compactMap { $0 }
        return words.isEmpty ? "" : ": " + words.joined(separator: ": ").prefix(500)
    }
}
