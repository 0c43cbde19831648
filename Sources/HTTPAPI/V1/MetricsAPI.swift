// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import NIOCore
import NIOHTTP1

/// `/metrics`: the daemon's counters for Prometheus (prometheus.io, "Exposition formats", text format 0.0.4).
struct MetricsAPI: Sendable {
    let context: APIContext

    var group: RouteGroup {
        RouteGroup(prefixes: ["metrics"], routes: [Route(.GET, "/metrics", for: .scopeOnAllVMs(.read), metrics)])
    }

    private func metrics(_ call: Call) async throws -> Response {
        var text = MetricsText()
        let statistics = context.capture.statistics().values
        text.add(
            "guestlog_received_bytes_total",
            .counter,
            "Bytes that guests wrote.",
            statistics.reduce(0) { $0 + $1.received }
        )
        text.add(
            "guestlog_stored_bytes_total",
            .counter,
            "Bytes that were stored.",
            statistics.reduce(0) { $0 + $1.stored }
        )
        text.add(
            "guestlog_dropped_bytes_total",
            .counter,
            "Bytes that were lost.",
            statistics.reduce(0) { $0 + $1.dropped }
        )
        let problems = context.capture.problems.all.count
        text.add("guestlog_problems", .gauge, "Present problems, as guestlog status shows them.", UInt64(problems))
        let outputs = await context.outputs?.statuses() ?? []
        for metric in Self.outputMetrics where !outputs.isEmpty {
            let samples = outputs.compactMap { output in
                output[metric.member]?.integer.map { (output["name"]?.text ?? "", UInt64(clamping: $0)) }
            }
            text.add(metric.name, metric.kind, metric.help, by: "output", samples)
        }
        return Response(
            contentType: "text/plain; version=0.0.4; charset=utf-8",
            .bytes(ByteBuffer(bytes: text.bytes))
        )
    }

    private static let outputMetrics: [(member: String, name: String, kind: MetricsText.Kind, help: String)] = [
        ("delivered", "guestlog_output_delivered_records_total", .counter, "Records that the destination took."),
        ("bytes", "guestlog_output_bytes_total", .counter, "Encoded bytes of settled batches."),
        ("behind_bytes", "guestlog_output_behind_bytes", .gauge, "Stored bytes that were not delivered yet."),
        ("retries", "guestlog_output_retries_total", .counter, "Requests that were sent again."),
        ("set_aside", "guestlog_output_set_aside_records_total", .counter, "Records that the destination refused."),
        ("dropped", "guestlog_output_dropped_records_total", .counter, "Records that the destination dropped."),
        (
            "diverted", "guestlog_output_diverted_records_total", .counter,
            "Records that the destination stored elsewhere."
        ),
        (
            "gap_bytes", "guestlog_output_gap_bytes_total", .counter,
            "Bytes that the store removed before they were delivered."
        ),
    ]
}

/// The text of metrics.
struct MetricsText {
    enum Kind: String {
        case counter, gauge
    }

    private(set) var bytes: [UInt8] = []

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) {
        head(name, kind, help)
        bytes += Array("\(name) \(value)\n".utf8)
    }

    /// Adds a sample for each value of `label`.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, by label: String, _ samples: [(String, UInt64)]) {
        head(name, kind, help)
        for (word, value) in samples {
            bytes += Array("\(name){\(label)=\"\(Self.escaped(word))\"} \(value)\n".utf8)
        }
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        bytes += Array("# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    private static func escaped(_ word: String) -> String {
        word.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }
}
