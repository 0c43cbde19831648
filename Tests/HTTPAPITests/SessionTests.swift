// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import Glibc
import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// What a token has begun ends with it, at whatever moment.
@Suite(.limited) struct SessionTests {
    /// A hook between a caller's admission and the registration of its session.
    private final class Moment: Sendable {
        private let body = Mutex<(@Sendable () async -> Void)?>(nil)

        func set(_ fresh: @escaping @Sendable () async -> Void) {
            body.withLock { $0 = fresh }
        }

        func come() async {
            await body.withLock { body in
                defer { body = nil }
                return body
            }?()
        }
    }

    private static func bearer(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    /// Every kind of request that begins a session.
    private static let requests = [
        ("GET", "/v1/vms", ""), ("GET", "/v1/vms/web/boots", ""), ("GET", "/v1/logs?vm=web", ""),
        ("GET", "/v1/logs?vm=web&follow=1", ""), ("GET", "/v1/vms/web/wait?pattern=hello&since=1h", ""),
        ("GET", "/v2.1/servers", ""), ("POST", "/v2.1/servers/web/action", #"{"os-getConsoleOutput": {}}"#),
    ]

    @Test("a token that is revoked just after it admitted a caller gives no access", arguments: requests)
    func revokedMeanwhile(_ method: String, _ path: String, _ body: String) async throws {
        let moment = Moment()
        let fixture = try ServerFixture(willEnterSession: { await moment.come() })
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "web"))
        let token = try fixture.token([.read, .console])
        moment.set { try? await fixture.revoke(token) }
        let answer = try await client.ask(method, path, Self.bearer(token), body: body)
        #expect(answer.status == 401, "\(answer.text)")
        #expect(!answer.text.contains("hello"))
    }

    @Test("a console that is being joined while its token is revoked is not joined, by a request or by an address")
    func revokedWhileJoining() async throws {
        let moment = Moment()
        let fixture = try ServerFixture(willEnterSession: { await moment.come() })
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        for isSerial in [false, true] {
            let token = try fixture.token([.read, .console])
            var path = "/v1/vms/web/console"
            if isSerial {
                let body = #"{"os-getSerialConsole": {"type": "serial"}}"#
                let action = "/v2.1/servers/web/action"
                let asked = try await client.ask("POST", action, Self.bearer(token), body: body)
                let url = try #require(asked.json["console"]?["url"]?.text)
                path = try "/serial?token=" + #require(url.split(separator: "=").last)
            }
            moment.set { try? await fixture.revoke(token) }
            let session = try await WebSocketClient(client, path, isSerial ? [] : Self.bearer(token))
            #expect(try await session.refusal()?.contains("revoked") == true)
            #expect(fixture.hub.statuses().first?.watchers == 0)
            // Another client's keys are the first that the guest gets.
            session.send(Array("typed after the end".utf8))
            var room = [UInt8](repeating: 0, count: 64)
            #expect(read(guest.raw, &room, room.count) < 0 && errno == EAGAIN)
        }
    }

    @Test("a token that expires just after it admitted a caller gives no access")
    func expiredMeanwhile() async throws {
        let moment = Moment()
        let fixture = try ServerFixture(willEnterSession: { await moment.come() })
        let client = try fixture.open()
        let end = fixture.now.advanced(byMicroseconds: 400_000)
        let token = try fixture.token(expires: end)
        moment.set { _ = await awaits { fixture.now >= end } }
        #expect(try await client.ask("GET", "/v1/vms", Self.bearer(token)).status == 401)
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
