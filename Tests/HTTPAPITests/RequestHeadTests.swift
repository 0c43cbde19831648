// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// What a request's head decides, before its body.
@Suite(.limited) struct RequestHeadTests {
    private func bearer(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    /// Sends a head alone, and reads to the connection's end.
    private func answer(to head: [UInt8], _ client: NetworkClient) async throws -> NetworkClient.Answer {
        let socket = try client.connect()
        client.send(head, to: socket)
        return NetworkClient.answer(try await client.readAll(from: socket))
    }

    @Test("a client that waits before it sends the body is told to send it, and gets the response after it")
    func expectation() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let fields = bearer(try fixture.token([.admin])) + [("Content-Length", "2"), ("Connection", "close")]
        for expect in ["100-continue", "100-Continue"] {
            let socket = try client.connect()
            client.send(client.head("POST", "/v1/vacuum?size=1G", fields + [("Expect", expect)]), to: socket)
            let interim = try #require(try await client.read(from: socket))
            #expect(String(decoding: interim, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send(Array("{}".utf8), to: socket)
            #expect(NetworkClient.answer(try await client.readAll(from: socket)).status == 200)
        }
    }

    @Test("a request that its head decides is refused before its body", arguments: [true, false])
    func refused(expects: Bool) async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let admin = bearer(try fixture.token([.admin]))
        let expectation = expects ? [("Expect", "100-continue")] : []
        let length = [("Content-Length", expects ? "10" : "99999999999")]
        for (method, path, fields, status) in [
            ("POST", "/v1/vacuum?size=1G", [], 401), ("POST", "/v1/nowhere", admin, 404),
            ("DELETE", "/v1/vacuum", admin, 405), ("POST", "/v1/vacuum?sizes=1G", admin, 400),
        ] {
            let answer = try await answer(to: client.head(method, path, fields + length + expectation), client)
            #expect(answer.status == status, "\(method) \(path)")
            #expect(answer.headers["connection"] == "close")
        }
        let large = [("Content-Length", "99999999999")]
        let answer = try await answer(
            to: client.head("POST", "/v1/vacuum?size=1G", admin + large + expectation),
            client
        )
        #expect(answer.status == 413 && answer.text.contains("body_too_large"), "\(answer.text)")
    }

    @Test("a target in absolute form is the same, and its host counts instead of the field Host")
    func absoluteForm() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let fields = bearer(try fixture.token()) + [("Connection", "close")]
        for target in ["http://\(client.address)/v1/status", "HTTP://x/v1/status"] {
            #expect(try await answer(to: client.head("GET", target, fields), client).status == 200, "\(target)")
        }
        let anonymous = try fixture.open(TCPListener(identity: nil, isAnonymous: true))
        let foreign = anonymous.head("GET", "http://evil.example.org/v1/vms", [("Connection", "close")])
        #expect(try await answer(to: foreign, anonymous).status == 403)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "https://h:1?a=b", headers: ["Host": "x"])
        #expect(head.inOriginForm.uri == "/?a=b" && head.inOriginForm.headers["Host"] == ["h:1"])
    }

    @Test("a request of HTTP/1.1 without a Host is refused, and so is one with two; HTTP/1.0 needs none")
    func hosts() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let token = "Authorization: Bearer \(try fixture.token())\r\nConnection: close\r\n\r\n"
        for (head, status) in [
            ("GET /v1/status HTTP/1.1\r\n", 400), ("GET /v1/status HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
            ("GET /v1/status HTTP/1.0\r\n", 200), ("GET /v1/status HTTP/1.1\r\nHost:\r\n", 200),
        ] {
            let answer = try await answer(to: Array((head + token).utf8), client)
            #expect(answer.status == status, "\(head)")
        }
    }

    @Test("a transfer coding besides chunked is refused, and so is a target with bytes to be percent-encoded")
    func codings() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let token = "Host: a\r\nAuthorization: Bearer \(try fixture.token())\r\nConnection: close\r\n"
        for (head, status, words) in [
            ("GET /v1/status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 200, ""),
            ("GET /v1/status HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n", 501, "gzip is not supported"),
            ("GET /v1/logs?grep=é HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 400, "percent-encode"),
        ] {
            let answer = try await answer(to: Array((head + token + "\r\n0\r\n\r\n").utf8), client)
            #expect(answer.status == status && answer.text.contains(words), "\(head): \(answer.text)")
        }
    }
}
