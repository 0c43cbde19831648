// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import HTTPAPI

/// Requests of web pages of other origins, as browsers send them.
@Suite(.limited) struct CrossOriginTests {
    private static let page = "https://horizon.example.org"
    private static let question = [
        ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "authorization"),
    ]

    @Test("a browser lets a page of an allowed origin send a token and read the response, an error too")
    func allowed() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open(TCPListener(identity: nil, origins: [Self.page]))
        let origin = ("Origin", Self.page)
        let preflight = try await client.ask("OPTIONS", "/v1/vms", [origin] + Self.question)
        #expect(preflight.status == 200 && preflight.headers["access-control-allow-origin"] == Self.page)
        #expect(preflight.headers["access-control-allow-headers"]?.contains("Authorization") == true)
        #expect(preflight.headers["access-control-allow-methods"]?.contains("DELETE") == true)
        let token = ("Authorization", "Bearer \(try fixture.token())")
        for (path, fields, status) in [
            ("/v1/vms", [token], 200), ("/v1/vms", [], 401), ("/v2.1/servers", [token], 200),
        ] {
            let answer = try await client.ask("GET", path, [origin] + fields)
            #expect(answer.status == status && answer.headers["access-control-allow-origin"] == Self.page, "\(path)")
            #expect(answer.headers["vary"] == "Origin")
        }
    }

    @Test("a page of another origin is allowed nothing, and OPTIONS is no method of its own")
    func refused() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open(TCPListener(identity: nil, origins: [Self.page]))
        let evil = ("Origin", "https://evil.example.org")
        let token = ("Authorization", "Bearer \(try fixture.token())")
        for (method, fields, status) in [
            ("OPTIONS", [evil] + Self.question, 405), ("GET", [evil, token], 403), ("GET", [token], 200),
        ] {
            let answer = try await client.ask(method, "/v1/vms", fields)
            #expect(answer.status == status && answer.headers["access-control-allow-origin"] == nil, "\(method)")
        }
        #expect(try await client.ask("OPTIONS", "/v1/vms", [("Origin", Self.page), token]).status == 405)
    }
}
