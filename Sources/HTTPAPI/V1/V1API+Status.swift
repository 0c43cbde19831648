// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore

/// The state of the daemon.
extension V1API {
    /// A write that takes longer than this, in microseconds, is a problem.
    private static let stuckThreshold: Int64 = 5_000_000

    func status(_ call: Call) async throws -> Response {
        let statistics = context.capture.totalStatistics
        let consoles = try await context.control { context.hub.statuses() }
        let disk = try await call.read { [capture = context.capture] in
            // Unknown while the store cannot be read: the problems say why.
            let usage = try? capture.store.vms().reduce(0) { try $0 + capture.store.usage(of: $1.directory) }
            return (usage: usage, limit: capture.totalQuota())
        }
        let stuck = context.capture.writerStuckFor
        var problems = context.capture.problems.all.map {
            JSON.object([("subject", .string($0.0)), ("problem", .string($0.1))])
        }
        if stuck > Self.stuckThreshold {
            let seconds = stuck / 1_000_000
            problems.append(
                .object([
                    ("subject", .string("store")),
                    (
                        "problem",
                        .string("a write has been blocked for \(seconds) s; guests continue, bytes may be lost")
                    ),
                ])
            )
        }
        let collector = context.collector().map { [("collector", $0)] } ?? []
        return Response(
            .object(
                [
                    ("version", .string(context.version)),
                    ("started", .string(context.started.description)),
                    ("store", .string(context.capture.store.root)),
                    ("disk_bytes", disk.usage.map { .integer(Int64($0)) } ?? .null),
                    ("disk_limit_bytes", disk.limit.map { .integer(Int64($0)) } ?? .null),
                    ("consoles", .integer(Int64(consoles.count))),
                    ("connected", .integer(Int64(consoles.count(where: \.isConnected)))),
                    ("received_bytes", .integer(Int64(clamping: statistics.received))),
                    ("stored_bytes", .integer(Int64(clamping: statistics.stored))),
                    ("dropped_bytes", .integer(Int64(clamping: statistics.dropped))),
                    ("problems", .array(problems)),
                ] + collector
            )
        )
    }
}
