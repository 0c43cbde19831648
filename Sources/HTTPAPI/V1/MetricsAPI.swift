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
        let statistics = context.capture.totalStatistics
        let counts = Counts(
            received: statistics.received,
            stored: statistics.stored,
            dropped: statistics.dropped,
            problems: UInt64(context.capture.problems.all.count)
        )
        for (metric, value) in Self.daemonMetrics {
            text.add(metric, [(nil, value(counts))])
        }
        let outputs = await context.outputs?.statuses() ?? []
        for (metric, member) in Self.outputMetrics where !outputs.isEmpty {
            let samples = outputs.compactMap { output in
                output[member]?.integer.map { (output["name"]?.text, UInt64(clamping: $0)) }
            }
            text.add(metric, samples)
        }
        return Response(
            contentType: "text/plain; version=0.0.4; charset=utf-8",
            .bytes(ByteBuffer(bytes: text.bytes))
        )
    }

    /// The daemon's counts since its start, and of its present problems.
    private struct Counts {
        let received, stored, dropped, problems: UInt64
    }

    /// All metrics, in the order of the response. docs/metrics.md describes them.
    static var metrics: [Metric] { daemonMetrics.map(\.0) + outputMetrics.map(\.0) }

    private static let daemonMetrics: [(Metric, value: @Sendable (Counts) -> UInt64)] = [
        (Metric("guestlog_received_bytes_total", .counter, "Bytes that guests wrote."), { $0.received }),
        (Metric("guestlog_stored_bytes_total", .counter, "Bytes that were stored."), { $0.stored }),
        (
            Metric(
                "guestlog_dropped_bytes_total",
                .counter,
                "Bytes that guests wrote and that were not stored: each loss is a gap in the log."
            ), { $0.dropped }
        ),
        (Metric("guestlog_problems", .gauge, "Present problems, as guestlog status shows them."), { $0.problems }),
    ]

    /// Those of each output, with the member of its status.
    private static let outputMetrics: [(Metric, member: String)] = [
        (output("delivered_records_total", .counter, "Records that the destination took."), "delivered"),
        (output("bytes_total", .counter, "Encoded bytes of settled batches."), "bytes"),
        (output("behind_bytes", .gauge, "Stored bytes that were not delivered yet."), "behind_bytes"),
        (output("retries_total", .counter, "Requests that were sent again."), "retries"),
        (
            output("set_aside_records_total", .counter, "Refused records, with those that were set aside before."),
            "set_aside"
        ),
        (output("dropped_records_total", .counter, "Records that the destination dropped."), "dropped"),
        (output("diverted_records_total", .counter, "Records that the destination stored elsewhere."), "diverted"),
        (output("gap_bytes_total", .counter, "Bytes that the store removed before they were delivered."), "gap_bytes"),
    ]

    private static func output(_ name: String, _ kind: Metric.Kind, _ help: String) -> Metric {
        Metric("guestlog_output_" + name, kind, help, label: "output")
    }
}

/// A metric: its name, type and meaning.
struct Metric: Hashable, Sendable {
    enum Kind: String {
        case counter, gauge
    }

    let name: String
    let kind: Kind
    let help: String
    /// The label by which it has several samples; nil: it has one sample.
    let label: String?

    init(_ name: String, _ kind: Kind, _ help: String, label: String? = nil) {
        (self.name, self.kind, self.help, self.label) = (name, kind, help, label)
    }
}

/// The text of metrics.
struct MetricsText {
    private(set) var bytes: [UInt8] = []

    /// Adds the metric with a sample for each value of its label.
    mutating func add(_ metric: Metric, _ samples: [(value: String?, UInt64)]) {
        bytes += Array("# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n".utf8)
        for (word, value) in samples {
            let labels = metric.label.map { "{\($0)=\"\(Self.escaped(word ?? ""))\"}" } ?? ""
            bytes += Array("\(metric.name)\(labels) \(value)\n".utf8)
        }
    }

    private static func escaped(_ word: String) -> String {
        word.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }
}
