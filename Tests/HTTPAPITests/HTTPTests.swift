// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import Query
import SystemIO
import Testing
import TestSupport
import TestTraits

@testable import HTTPAPI

/// HTTP with clients of all kinds.
@Suite(.limited) struct HTTPTests {
    private func prepare() async throws -> (
        fixture: ServerFixture, client: NetworkClient, token: (String, String), guest: Int32
    ) {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "web"))
        return (fixture, client, ("X-Auth-Token", try fixture.token([.read, .console])), guest.release())
    }

    @Test("an HTTP/1.0 client gets a response without chunks or trailers, ended by the connection's end")
    func oldHTTP() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        for (path, body) in [("/v1/logs?vm=web&format=raw", "hello\n"), ("/v1/vms/none/boots", nil)] {
            let socket = try client.connect()
            let head = "GET \(path) HTTP/1.0\r\n\(token.0): \(token.1)\r\nConnection: keep-alive\r\n\r\n"
            client.send(Array(head.utf8), to: socket)
            let answer = NetworkClient.answer(try await client.readAll(from: socket))
            #expect(answer.headers["transfer-encoding"] == nil && answer.headers["connection"] == "close")
            #expect(body.map { answer.text == $0 } ?? (answer.json["code"] == .string("no_such_vm")), "\(answer.text)")
        }
    }

    @Test("a client that shuts down its half of the connection still gets its response")
    func halfClosed() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        for path in ["/v1/vms", "/v1/logs?vm=web", "/v2.1/servers"] {
            let socket = try client.connect()
            client.send(client.head("GET", path, [token]), to: socket)
            shutdown(socket.raw, Int32(SHUT_WR))
            #expect(NetworkClient.answer(try await client.readAll(from: socket)).status == 200, "\(path)")
        }
    }

    @Test("a follower that shuts down its half of the connection is told that this ends the response")
    func halfClosedFollower() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        for format in ["text", "json"] {
            let socket = try client.connect()
            client.send(client.head("GET", "/v1/logs?vm=web&follow=true&format=\(format)", [token]), to: socket)
            var got: [UInt8] = []
            while got.firstRange(of: Array("hello".utf8)) == nil, let more = try await client.read(from: socket) {
                got += more
            }
            shutdown(socket.raw, Int32(SHUT_WR))
            let text = String(decoding: got + (try await client.readAll(from: socket)), as: UTF8.self)
            #expect(text.contains("the client has closed its half of the connection"), "\(text)")
        }
    }

    @Test("a client that reads a long response slowly gets all of it before its connection is closed")
    func slowReader() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        let speaker = Descriptor(owning: dup(guest))
        // Far more than the socket buffers hold; the last of it is buffered in the daemon after the response is
        // written.
        let line = String(repeating: "x", count: 200) + "\n"
        writeAll(Array(String(repeating: line, count: 20_000).utf8) + Array("end\n".utf8), to: speaker)
        #expect(try await fixture.stores("end\n", of: "web"))
        let action = "/v2.1/servers/web/action"
        let body = #"{"os-getConsoleOutput": {}}"#
        let socket = try client.connect()
        var size: Int32 = 4096
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let fields = [token, ("Connection", "close"), ("Content-Length", "\(body.utf8.count)")]
        client.send(client.head("POST", action, fields) + Array(body.utf8), to: socket)
        let answer = NetworkClient.answer(try await client.readAll(from: socket))
        #expect(answer.headers["content-length"] == "\(answer.body.count)")
        #expect(answer.json["output"]?.text?.hasSuffix("end\n") == true)
    }

    @Test("a follower or a search whose client has left ends, and frees its session")
    func leftBehind() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        for path in ["/v1/logs?vm=web&follow=1", "/v1/vms/web/wait?pattern=never"] {
            for _ in 0..<40 {
                let socket = try client.connect()
                client.send(client.head("GET", path, [token]), to: socket)
            }
            // More than sixteen would have been refused, had the others stayed.
            #expect(try await awaits { try await client.ask("GET", "/v1/logs?vm=web", [token]).status == 200 })
        }
    }

    @Test("every route with GET supports HEAD, without a body")
    func heads() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        let paths = ["/v1/vms", "/v1/logs?vm=web", "/v1/vms/web/boots", "/v2.1/servers", "/v2.1/servers/web", "/"]
        for path in paths + ["/v1/vms/web/wait?pattern=hello&since=1h"] {
            let head = try await client.ask("HEAD", path, [token])
            #expect(head.status == 200 && head.body.isEmpty, "\(path): \(head.status)")
        }
        // A persistent connection serves the next request.
        let socket = try client.connect()
        client.send(client.head("HEAD", "/v1/logs?vm=web", [token]), to: socket)
        client.send(client.head("GET", "/v1/nothing", [token, ("Connection", "close")]), to: socket)
        let both = String(decoding: try await client.readAll(from: socket), as: UTF8.self)
        #expect(both.hasPrefix("HTTP/1.1 200") && both.contains("HTTP/1.1 404"), "\(both)")
    }

    @Test("an error's status and code identify the error")
    func errorCodes() async throws {
        let (fixture, client, token, guest) = try await prepare()
        defer { withExtendedLifetime(fixture) { _ = close(guest) } }
        var guests: [Int32] = []
        defer { guests.forEach { close($0) } }
        for namespace in ["a", "b"] {
            let pair = try Descriptor.socketPair()
            let key = StreamKey(name: "twin", namespace: namespace)
            fixture.hub.add(try .init(key: key, endpoint: .inherited), descriptor: try pair.second.duplicate())
            writeAll(Array("hi\n".utf8), to: pair.first)
            guests.append(try pair.first.duplicate().release())
            let stream = StreamID(vm: namespace + ".twin", stream: .console0)
            #expect(try await awaits { try StoredText(of: stream, in: fixture.capture.store).bytes.count == 3 })
        }
        let all = ("X-Auth-Token", try fixture.token())
        for (path, status, code) in [
            ("/v1/logs?vm=twin", 409, "ambiguous_vm"), ("/v1/logs?vm=nobody", 404, "no_such_vm"),
            ("/v1/logs?vm=web&stream=none", 404, "no_such_stream"), ("/v1/logs?vm=web&boot=9", 404, "no_such_boot"),
            ("/v1/logs?vm=web&cursor=x", 400, "bad_cursor"), ("/v1/logs?vm=web&tail=x", 400, "bad_request"),
            ("/v1/status?x", 400, "bad_request"), ("/v1/status", 200, nil), ("/v1/tokens", 403, "forbidden"),
            ("/nowhere", 404, "not_found"),
        ] as [(String, Int, String?)] {
            let answer = try await client.ask("GET", path, [all])
            #expect(answer.status == status, "\(path): \(answer.text)")
            #expect(answer.json["code"]?.text == code, "\(path): \(answer.text)")
        }
        #expect(try await client.ask("GET", "/v1/vms").json["code"]?.text == "unauthorized")
        let known = await #expect(throws: APIError.self) {
            try await fixture.client.get(RequestTarget(["v1", "logs"], ["vm": ["nobody"]]))
        }
        #expect(known?.status == 404 && known?.code == "no_such_vm")
        // VMs with the same name are distinguished in a list too.
        let listed = try await client.ask("GET", "/v1/vms", [all]).json["vms"]?.elements ?? []
        let twins = listed.filter { $0["name"]?.text == "twin" }.compactMap { $0["namespace"]?.text }
        #expect(twins == ["a", "b"])
        #expect(listed.first { $0["name"]?.text == "web" }?["namespace"] == .null)
        _ = token
    }

    @Test("a VM that is named a thousand times is looked up once, and too many names are refused")
    func manyNames() throws {
        let now = Timestamp(microseconds: 0)
        let same = try LogParameters(RequestTarget([], ["vm": Array(repeating: "web", count: 5000)]), now: now)
        #expect(same.request.vms == ["web"])
        let many = (0...LogRequest.mostVMs).map { "vm-\($0)" }
        let error = #expect(throws: APIError.self) { try LogParameters(RequestTarget([], ["vm": many]), now: now) }
        #expect(error?.status == 400 && error?.message.contains("at most 1000") == true)
    }

    @Test("the head of a request is limited, beyond what a thousand UUIDs in its target take")
    func headLimit() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let token = ("X-Auth-Token", try fixture.token())
        let field = String(repeating: "x", count: 8 << 10)
        let long = String(repeating: "x", count: 65 << 10)
        for (path, fields) in [
            ("/v1/vms", (0..<25).map { ("X-\($0)", field) }), ("/v1/vms", (0..<101).map { ("X-\($0)", "x") }),
            ("/v1/vms", [("X", long)]), ("/v1/vms?x=" + long, []),
        ] {
            let socket = try client.connect()
            client.send(client.head("GET", path, [token] + fields), to: socket)
            let refused = NetworkClient.answer(try #require(try await client.read(from: socket)))
            #expect(refused.status == 400)
        }
        let vms = (0..<LogRequest.mostVMs).map { "vm=6c5b4c1e-8a53-4d59-9a37-\(100_000_000_000 + $0)" }
        let target = "/v1/logs?" + vms.joined(separator: "&")
        #expect(try await client.ask("GET", target, [token]).json["code"]?.text == "no_such_vm")
    }

    @Test("a body with a duplicate member is refused, at any depth")
    func repeatedMembers() {
        for body in [#"{"a": 1, "a": 1}"#, #"{"a": [{"b": {"c": 1, "c": 2}}]}"#] {
            let error = #expect(throws: APIError.self) { try JSON(body: Array(body.utf8)) }
            #expect(error?.status == 400 && error?.message.contains("twice") == true)
        }
        #expect(throws: Never.self) { try JSON(body: Array(#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}"#.utf8)) }
    }

    @Test("a secret matches its own hash only, and nothing matches a token that does not exist")
    func unknownToken() throws {
        let secret = String(repeating: "0123456789", count: 4)
        let hash = try #require(TokenSecret(stored: TokenSecret(of: secret).stored))
        #expect(TokenSecret.matches(secret, hash))
        #expect(!TokenSecret.matches(String(secret.reversed()), hash))
        #expect(!TokenSecret.matches("", hash))
        #expect(!TokenSecret.matches(secret, nil))
        #expect(!TokenSecret.matches("", nil))
        #expect(TokenSecret(stored: "$5$rounds=1000$0123456789abcdef$0123") == nil)
        #expect(TokenSecret(stored: "sha256:0123") == nil)
    }
}
