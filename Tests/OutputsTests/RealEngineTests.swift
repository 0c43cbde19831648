// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import NIOHTTP1
import Query
import SystemIO
import TestSupport
import Testing

@testable import Outputs

/// The same outputs with real engines, which are named by environment variables.
@Suite struct RealEngineTests {
    private enum Engine: String, CaseIterable, Sendable {
        case elasticsearch = "GUESTLOG_TEST_ELASTICSEARCH_URL"
        case loki = "GUESTLOG_TEST_LOKI_URL"
        case otlp = "GUESTLOG_TEST_OTLP_URL"
        case victorialogs = "GUESTLOG_TEST_VICTORIALOGS_URL"
        case fluentd = "GUESTLOG_TEST_FLUENTD_ADDR"

        /// Those that are named.
        static var present: [Engine] { allCases.filter { $0.address != nil } }

        /// Whether what it stores can be read back.
        var isReadable: Bool { self == .loki || self == .victorialogs }

        var address: String? { getenv(rawValue).map { String(cString: $0) } }

        var settings: OutputSettings? {
            guard let address else {
                return nil
            }
            let endpoint = HTTPEndpoint(address)
            switch self {
            case .elasticsearch:
                return endpoint.map { .all(.elasticsearch(ElasticsearchSettings(HTTPOutputSettings($0)))) }
            case .loki: return endpoint.map { .all(.loki(LokiSettings(HTTPOutputSettings($0)))) }
            case .otlp: return endpoint.map { .all(.otlp(OTLPSettings(HTTPOutputSettings($0)))) }
            case .victorialogs:
                let url = HTTPEndpoint(address + "/insert/opentelemetry/v1/logs")
                return url.map { .all(.otlp(OTLPSettings(HTTPOutputSettings($0)))) }
            case .fluentd:
                return NetworkPeer(address, defaultPort: 24224).map { .all(.forward(ForwardSettings(servers: [$0]))) }
            }
        }
    }

    @Test(
        "a real engine takes 1,000 records, and none is refused",
        .enabled(
            if: !Engine.present.isEmpty,
            "needs GUESTLOG_TEST_{ELASTICSEARCH,LOKI,OTLP,VICTORIALOGS}_URL or GUESTLOG_TEST_FLUENTD_ADDR"
        ),
        arguments: Engine.present
    )
    private func delivers(to engine: Engine) async throws {
        let settings = try #require(engine.settings, "\(engine.rawValue) is malformed")
        let vm = "guestlog-test-\(getpid())"
        let (_, counters) = try await delivered(to: settings, vm)
        #expect(counters.delivered == 1000 && counters.setAside == 0 && counters.dropped == 0)
    }

    /// A store of which 1,000 lines of now were delivered: engines refuse old ones.
    private func delivered(to settings: OutputSettings, _ vm: String) async throws -> (OutputFixture, OutputCounters) {
        let fixture = OutputFixture(now: Timestamp(microseconds: SystemClock().wallMicroseconds()))
        try fixture.append((0..<1000).map { "line \($0)\n" }.joined(), vm: vm)
        let service = try fixture.start(settings)
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        return (fixture, await service.statuses()[0].counters)
    }

    @Test(
        "what a real engine was given is read back as the store shows it",
        .enabled(
            if: Engine.present.contains { $0.isReadable },
            "needs GUESTLOG_TEST_LOKI_URL or GUESTLOG_TEST_VICTORIALOGS_URL"
        ),
        arguments: Engine.present.filter(\.isReadable)
    )
    private func readsBack(from engine: Engine) async throws {
        let settings = try #require(engine.settings, "\(engine.rawValue) is malformed")
        let vm = "guestlog-test-back-\(getpid())"
        let (fixture, _) = try await delivered(to: settings, vm)
        var request = LogRequest()
        request.vms = [vm]
        request.rendering = Rendering(format: .json)
        let now = Timestamp(microseconds: SystemClock().wallMicroseconds())
        request.selection.since = now.advanced(byMicroseconds: -3_600_000_000)
        let query = try request.open(fixture.store, now: now)
        var expected: [UInt8] = []
        while let chunk = try query.next() {
            expected += chunk
        }
        let source = try FleetSource(settings)
        let text = String(decoding: expected, as: UTF8.self)
        // An engine may show what it was given some seconds later.
        #expect(await awaits { await Self.answer(source, request, now) == text })
    }

    /// What the engine shows; nil when it fails.
    private static func answer(_ source: FleetSource, _ request: LogRequest, _ now: Timestamp) async -> String? {
        var found: [UInt8] = []
        do {
            var query = try FleetQuery(source, request, now: now)
            try await query.answer { found += $0 }
        } catch {
            return nil
        }
        return String(decoding: found, as: UTF8.self)
    }
}
