// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import Query

/// A log engine to be read, and how it is reached.
public struct FleetSource: Sendable, CustomStringConvertible {
    enum Kind: String, CaseIterable, Sendable {
        case loki, victorialogs
    }

    let kind: Kind
    /// Its address without the paths of its API, its TLS, and what is sent with each request.
    public var http: HTTPOutputSettings

    /// What precedes `/v1/logs` in the path at which VictoriaLogs receives OTLP.
    private static let openTelemetry = "/insert/opentelemetry"

    /// Parses `loki+http://HOST:3100` or `victorialogs+https://HOST:9428/base`. Throws `QueryError` when it is malformed.
    public init(_ url: String) throws(QueryError) {
        let kind = Kind.allCases.first { url.hasPrefix($0.rawValue + "+") }
        guard let kind, let endpoint = HTTPEndpoint(String(url.dropFirst(kind.rawValue.count + 1))) else {
            throw QueryError(
                .badRequest,
                "--from needs an engine and its URL, such as loki+http://HOST:3100 or victorialogs+http://HOST:9428, "
                    + "or the name of an output"
            )
        }
        self.init(kind, HTTPOutputSettings(endpoint))
    }

    /// The engine to which `output` sends. Throws `QueryError` when that cannot be read.
    public init(_ output: OutputSettings) throws(QueryError) {
        switch output.destination {
        case .loki(let loki):
            self.init(.loki, loki.http)
        case .otlp(let otlp) where otlp.http.endpoint.endpoint(before: Self.openTelemetry) != nil:
            self.init(.victorialogs, otlp.http)
            http.endpoint = http.endpoint.endpoint(before: Self.openTelemetry) ?? http.endpoint
        default:
            throw QueryError(
                .badRequest,
                "--from \(output.name): what this output sends cannot be read back; only Loki (type loki) and VictoriaLogs "
                    + "(type otlp, to /insert/opentelemetry/v1/logs) can"
            )
        }
    }

    private init(_ kind: Kind, _ http: HTTPOutputSettings) {
        self.kind = kind
        self.http = http
    }

    public var description: String { (kind == .loki ? "Loki" : "VictoriaLogs") + " at \(http.endpoint)" }

    var engine: any FleetEngine {
        let requests = FleetRequests(client: HTTPClient(http.endpoint, http.client), name: description)
        return switch kind {
        case .loki: LokiEngine(requests)
        case .victorialogs: VictoriaLogsEngine(requests)
        }
    }
}
