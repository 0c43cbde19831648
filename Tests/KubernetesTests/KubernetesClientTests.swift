// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import Synchronization
import TestServers
import Testing

@testable import Kubernetes

@Suite("A client of the API server") struct KubernetesClientTests {
    /// Counts requests.
    private final class Requests: Sendable {
        private let count = Atomic(0)

        func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    }

    @Test("a server that is busy is asked again when it says so, and only then")
    func busy() async throws {
        let requests = Requests()
        let server = try StandInServer { request in
            let fields = request.target == "/told" ? [("Retry-After", "0")] : []
            return requests.next() < 4 ? .status(429, headers: fields) : .status(200, body: "{}")
        }
        let endpoint = try #require(HTTPEndpoint(server.url))
        let client = KubernetesClient(
            ClusterAccess(endpoint: endpoint, settings: HTTPClient.Settings(), namespace: "shop")
        )
        let error = await #expect(throws: KubernetesError.self) { _ = try await client.get(.init(["untold"])) }
        #expect(error?.status == 429 && server.requests.count == 1)
        #expect(try await client.get(.init(["told"])) == .object([]))
        #expect(server.requests.count == 4)
    }

    @Test(
        "a server that stays busy is asked for no longer than the limit of the request",
        arguments: ["3600", "Tue, 31 Dec 2999 23:59:59 GMT"]
    )
    func busyForLong(until time: String) async throws {
        let server = try StandInServer { _ in .status(503, headers: [("Retry-After", time)]) }
        let endpoint = try #require(HTTPEndpoint(server.url))
        let client = KubernetesClient(
            ClusterAccess(endpoint: endpoint, settings: HTTPClient.Settings(), namespace: "shop")
        )
        let error = await #expect(throws: KubernetesError.self) {
            _ = try await client.open(.init(["told"]), within: .seconds(1))
        }
        #expect(error?.status == 503 && server.requests.count == 2)
    }

    @Test("a watch reports once that the server does not answer, and that it answers again")
    func outage() async throws {
        let requests = Requests()
        let server = try StandInServer { request in
            guard requests.next() > 4 else {
                return .status(503, body: "no")
            }
            guard request.target.contains("watch=true") else {
                return .status(200, body: #"{"items":[],"metadata":{"resourceVersion":"1"}}"#)
            }
            let event = #"{"type":"ADDED","object":{"metadata":{"uid":"u","resourceVersion":"2"}}}"#
            return .chunks([event + "\n"], isCut: false)
        }
        let endpoint = try #require(HTTPEndpoint(server.url))
        let client = KubernetesClient(
            ClusterAccess(endpoint: endpoint, settings: HTTPClient.Settings(), namespace: "shop")
        )
        var outages: [String] = []
        try await client.watch(
            KubernetesClient.Target(["api", "v1", "pods"]),
            onOutage: { outages.append($0.map { "\($0)" } ?? "over") },
            { objects in objects.isEmpty }
        )
        #expect(outages == ["no", "over"])
        #expect(server.requests.count == 6)
    }
}
