// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import TextFormats

/// The settings of an output to Loki, or what understands its push API.
public struct LokiSettings: Hashable, Sendable {
    public var http: HTTPOutputSettings
    /// Labels of all streams besides those of `ownLabels`.
    public var labels: [String: String] = ["job": "guestlog"]

    /// The labels that each stream gets of its own.
    private static let ownLabels: Set = ["vm", "namespace", "stream"]

    /// The API's path. Other clients of Loki are given it as a part of the URL.
    fileprivate static let path = "/loki/api/v1/push"

    /// Settings of a Loki whose URL may end with the path of its push API.
    public init(_ http: HTTPOutputSettings) {
        self.http = http
        if http.endpoint.path.hasSuffix(Self.path), let base = http.endpoint.endpoint(before: Self.path) {
            self.http.endpoint = base
        }
    }

    /// Why `labels` cannot contain `name`, and what to do; nil when they can.
    public static func fault(inLabel name: String) -> String? {
        guard name.wholeMatch(of: /[a-zA-Z_][a-zA-Z0-9_]*/) != nil else {
            return "Loki refuses the label '\(name)': use letters, digits and _, and no digit at the beginning"
        }
        return ownLabels.contains(name) ? "\(name) is a label that each stream gets of its own: use another name" : nil
    }
}

/// Sends records by Loki's push API in JSON (grafana.com/docs/loki, "Ingest logs").
///
/// Labels are few, because each set of them is a stream of Loki's own; what differs from record to record is structured
/// metadata.
struct LokiDestination: OutputDestination {
    private let http: HTTPOutput
    private let labels: [(String, JSON)]

    init(_ settings: LokiSettings) {
        http = HTTPOutput(settings.http)
        labels = settings.labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }
    }

    func encode(_ origin: RecordOrigin) -> [UInt8] {
        var labels = labels
        labels.append(("vm", .string(origin.vm.name)))
        if let namespace = origin.vm.namespace {
            labels.append(("namespace", .string(namespace)))
        }
        labels.append(("stream", .string(origin.stream.stream.text)))
        return JSON.object(labels).bytes
    }

    func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        out.append(contentsOf: "[\"\(record.time)\",".utf8)
        JSONText.append(record.text, to: &out)
        out.append(contentsOf: #",{"id":"#.utf8)
        JSON.append(record.id, to: &out)
        if record.severity != nil || record.event != nil {
            JSONFieldWriter.append("level", record.effectiveSeverity.name, to: &out)
        }
        if let event = record.event {
            JSONFieldWriter.append("event", event.name, to: &out)
        }
        if record.isPartial {
            JSONFieldWriter.append("partial", "true", to: &out)
        }
        for detail in RecordDetails.details(of: record) {
            out.append(UInt8(ascii: ","))
            JSON.append(detail.name.replacing(".", with: "_"), to: &out)
            out.append(UInt8(ascii: ":"))
            JSON.append(detail.value, to: &out)
        }
        if let uuid = record.origin.vm.uuid {
            JSONFieldWriter.append("uuid", uuid, to: &out)
        }
        JSONFieldWriter.append(members: Self.reserved.fields(of: record), to: &out)
        out.append(contentsOf: "}]".utf8)
    }

    private static let reserved = ReservedNames("id", "level", "event", "partial", "uuid")

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        switch await http.post(LokiSettings.path, "application/json", request(items, of: batch)) {
        case .success:
            return .accepted()
        case .failure(let result, let response):
            guard response?.status == 400, let refused = Self.refused(in: response?.body ?? [], of: items.count) else {
                return result
            }
            return .accepted(refused: refused.count, reason: refused.reason)
        }
    }

    private func request(_ items: [Int], of batch: OutputBatch) -> [UInt8] {
        var request = Array(#"{"streams":["#.utf8)
        request.reserveCapacity(batch.bytes.count + 1024)
        for (index, run) in batch.runs(of: items).enumerated() {
            request += Array((index == 0 ? "" : ",").utf8)
            request += Array(#"{"stream":"#.utf8) + run.origin.encoded + Array(#","values":["#.utf8)
            for (number, item) in run.items.enumerated() {
                if number > 0 {
                    request.append(UInt8(ascii: ","))
                }
                batch.append(item, to: &request)
            }
            request += Array("]}".utf8)
        }
        return request + Array("]}".utf8)
    }

    /// The number of entries that a refusal names: Loki has stored the others, so none is sent again. Its message ends
    /// with `total ignored: 3 out of 10`; without that, a refusal for an entry's time or size concerns one at least.
    static func refused(in body: [UInt8], of count: Int) -> (count: Int, reason: String)? {
        let text = String(decoding: body.prefix(4096), as: UTF8.self)
        let reason = "Loki ignored entries: " + text.prefix(300).filter { $0 != "\n" }
        guard let mark = text.firstIndex(of: "total ignored: ") else {
            let isPartial = ["too far behind", "out of order", "too old", "too new"].contains { text.contains($0) }
            return isPartial ? (1, reason) : nil
        }
        let number = text[mark...].drop { !$0.isNumber }.prefix { $0.isNumber }
        return (min(count, Int(number) ?? 1), reason)
    }

    func close() async {
        http.close()
    }
}

extension String {
    /// Where `word` occurs first; nil when it does not.
    fileprivate func firstIndex(of word: String) -> String.Index? {
        utf8.indices.first { utf8[$0...].starts(with: word.utf8) }
    }
}
