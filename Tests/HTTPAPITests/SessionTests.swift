// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import LogModel
import LogStore
import NIOEmbedded
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// What a token has begun ends with it, at whatever moment.
@Suite(.limited) struct SessionTests {
    private static func bearer(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    /// Every kind of request that begins a session.
    private static let requests = [
        ("GET", "/v1/vms", ""), ("GET", "/v1/vms/web/boots", ""), ("GET", "/v1/logs?vm=web", ""),
        ("GET", "/v1/logs?vm=web&follow=1", ""), ("GET", "/v1/vms/web/wait?pattern=hello&since=1h", ""),
        ("GET", "/v2.1/servers", ""), ("POST", "/v2.1/servers/web/action", #"{"os-getConsoleOutput": {}}"#),
    ]

    @Test("a token that is revoked just after it admitted a caller gives no access", arguments: requests)
    func revokedMeanwhile(_ method: String, _ path: String, _ body: String) async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "web"))
        let token = try fixture.token([.read, .console])
        // The head admits the caller; the session begins with the body's end.
        let body = body.isEmpty ? "{}" : body
        let fields = [("Expect", "100-continue"), ("Content-Length", "\(body.utf8.count)"), ("Connection", "close")]
        let socket = try client.connect()
        client.send(client.head(method, path, Self.bearer(token) + fields), to: socket)
        let interim = try #require(try await client.read(from: socket))
        #expect(String(decoding: interim, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        try await fixture.revoke(token)
        client.send(Array(body.utf8), to: socket)
        let answer = NetworkClient.answer(try await client.readAll(from: socket))
        #expect(answer.status == 401, "\(answer.text)")
        #expect(!answer.text.contains("hello"))
    }

    @Test("no session begins for a caller whose token was revoked, or has expired, since it admitted the caller")
    func endedMeanwhile() async throws {
        let fixture = try ServerFixture()
        let tokens = fixture.server.tokens
        let clock = StoppedClock()
        let channel = NIOAsyncTestingChannel()
        let sessions = Sessions(tokens: tokens, clock: clock)
        let past = clock.now.advanced(byMicroseconds: -1)
        for isRevoked in [false, true] {
            let text = try fixture.token(expires: isRevoked ? nil : clock.now)
            let caller = try #require(try tokens.caller(with: text, at: past))
            if isRevoked {
                #expect(try tokens.revoke(#require(caller.token)))
            }
            let error = await #expect(throws: APIError.self) {
                try await sessions.during(caller, channel) { Issue.record("a session began") }
            }
            #expect(error?.status == 401)
        }
    }

    @Test("a token is revoked by its own text too, as it is known after a leak, and no message repeats its secret")
    func revokedByText() async throws {
        let fixture = try ServerFixture()
        let text = try fixture.token([.read])
        let (id, secret) = try #require(AccessToken.parts(of: text))
        #expect(TokenRegister.id(in: text) == id && TokenRegister.id(in: id) == id)
        let revoked = try await fixture.client.delete(RequestTarget(["v1", "tokens", text]))
        #expect(revoked["revoked"] == .string(id))
        #expect(fixture.server.tokens.all.isEmpty)
        for word in [text, secret, "gl_\(id)_\(secret)0", "gl_\(secret)"] {
            let error = await #expect(throws: APIError.self) {
                _ = try await fixture.client.delete(RequestTarget(["v1", "tokens", word]))
            }
            #expect(error?.status == 404 && error?.message.contains(secret) == false, "\(word)")
        }
    }

    @Test("a console that is joined by an address leaves with the token that the address was requested with")
    func endedAddress() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let token = try fixture.token([.read, .console])
        let body = #"{"os-getSerialConsole": {"type": "serial"}}"#
        let asked = try await client.ask("POST", "/v2.1/servers/web/action", Self.bearer(token), body: body)
        let url = try #require(asked.json["console"]?["url"]?.text)
        let session = try await WebSocketClient(client, "/serial?token=" + #require(url.split(separator: "=").last))
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 1 })
        try await fixture.revoke(token)
        #expect(try await session.refusal() == "the token was revoked")
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 0 })
    }

    @Test("after the response to a revocation the sessions that it ended have sent a close frame, and nothing more")
    func endedWhenAnswered() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        let token = try fixture.token([.console])
        let session = try await WebSocketClient(client, "/v1/vms/web/console", Self.bearer(token))
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 1 })
        try await fixture.revoke(token)
        writeAll(Array("secret\n".utf8), to: guest)
        #expect(try await session.refusal() == "the token was revoked")
        #expect(try await session.frame() == nil)
    }
}
