// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import NIOHTTP1
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
        static var present: [Engine] { allCases.filter { $0.place != nil } }

        var place: String? { getenv(rawValue).map { String(cString: $0) } }

        var settings: OutputSettings? {
            guard let place else {
                return nil
            }
            let endpoint = HTTPEndpoint(place)
            switch self {
            case .elasticsearch:
                return endpoint.map { .all(.elasticsearch(ElasticsearchSettings(HTTPOutputSettings($0)))) }
            case .loki: return endpoint.map { .all(.loki(LokiSettings(HTTPOutputSettings($0)))) }
            case .otlp: return endpoint.map { .all(.otlp(OTLPSettings(HTTPOutputSettings($0)))) }
            case .victorialogs:
                let url = HTTPEndpoint(place + "/insert/opentelemetry/v1/logs")
                return url.map { .all(.otlp(OTLPSettings(HTTPOutputSettings($0)))) }
            case .fluentd:
                return NetworkPeer(place, defaultPort: 24224).map { .all(.forward(ForwardSettings(servers: [$0]))) }
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
        let fixture = OutputFixture()
        let vm = "guestlog-test-\(getpid())"
        try fixture.append((0..<1000).map { "line \($0)\n" }.joined(), vm: vm)
        let service = try fixture.start(settings)
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        let counters = await service.statuses()[0].counters
        #expect(counters.delivered == 1000 && counters.setAside == 0 && counters.dropped == 0)
    }
}
