// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import Libvirt
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// Access control for network clients.
@Suite(.limited) struct AccessTests {
    private func bearer(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    @Test("without a valid token every request is refused; revoking a token takes effect at once")
    func tokensCount() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let good = try fixture.token()
        let over = try fixture.token(expires: fixture.now)
        let id = try #require(AccessToken.parts(of: good)).id
        let forged = "gl_\(id)_" + String(repeating: "0", count: 40)
        for fields in [
            [], bearer(over), bearer(forged), bearer("gl_x"), bearer(""), [("Authorization", "Basic \(good)")],
        ] {
            for path in ["/v1/vms", "/v1/status", "/v1/logs?all=1"] {
                let refused = try await client.ask("GET", path, fields)
                #expect(refused.status == 401, "\(path) \(fields)")
                #expect(refused.headers["www-authenticate"] == "Bearer realm=\"guestlog\"")
            }
        }
        #expect(try await client.ask("GET", "/v1/vms", bearer(good)).status == 200)
        #expect(try await client.ask("GET", "/v1/vms", [("X-Auth-Token", good)]).status == 200)
        #expect(try fixture.server.tokens.revoke(id))
        #expect(try await client.ask("GET", "/v1/vms", bearer(good)).status == 401)
    }

    @Test("a scope allows what it names, and admin everything but tokens, which are managed on the host")
    func scopes() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let asked = [
            ("GET", "/v1/vms", "read"), ("GET", "/v1/status", "read"), ("GET", "/v1/logs?vm=web", "read"),
            ("GET", "/v1/vms/web/console", "console"), ("DELETE", "/v1/consoles/nobody", "admin"),
            ("POST", "/v1/consoles", ""), ("DELETE", "/v1/vms/nobody", "admin"), ("GET", "/v1/tokens", ""),
            ("POST", "/v1/tokens", ""), ("DELETE", "/v1/tokens/x", ""), ("POST", "/v1/vacuum?size=1G", "admin"),
        ]
        for scope in Access.Scope.allCases {
            let token = try fixture.token([scope])
            for (method, path, needed) in asked {
                let isAllowed = needed == scope.rawValue || scope == .admin && needed != ""
                let status = try await client.ask(method, path, bearer(token)).status
                #expect((status == 403) == !isAllowed, "\(scope): \(method) \(path): \(status)")
            }
        }
    }

    @Test("what concerns all VMs is refused to a token for some, whatever its scope")
    func allVMs() async throws {
        let outputs = NotedOutputs()
        let fixture = try ServerFixture(outputs: outputs)
        let client = try fixture.open()
        let some = bearer(try fixture.token([.admin], vms: ["lab/*"]))
        let all = bearer(try fixture.token([.admin]))
        for (method, path, body) in [
            ("GET", "/v1/status", ""), ("GET", "/metrics", ""), ("GET", "/v1/outputs", ""),
            ("POST", "/v1/outputs/central/skip", ""),
            ("POST", "/v1/outputs/central/replay", #"{"since": "-30d"}"#),
        ] {
            let refused = try await client.ask(method, path, some, body: body)
            #expect(refused.status == 403 && refused.text.contains("some VMs only"), "\(path): \(refused.text)")
        }
        #expect(outputs.asked.withLock { $0 } == [])
        #expect(try await client.ask("POST", "/v1/outputs/central/skip", all).status == 200)
        #expect(outputs.asked.withLock { $0 } == ["skip central"])
        for (since, status) in [("2100-01-01T00:00:00Z", 400), ("tomorrow", 400), ("-1h", 200)] {
            let body = #"{"since": "\#(since)"}"#
            #expect(try await client.ask("POST", "/v1/outputs/central/replay", all, body: body).status == status)
        }
        #expect(outputs.asked.withLock { $0 } == ["skip central", "replay central"])
    }

    @Test("VMs that a token does not name are treated as absent")
    func hiddenVMs() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let own = try fixture.addConsole("web-1")
        let others = try fixture.addConsole("db-1")
        writeAll(Array("mine\n".utf8), to: own)
        writeAll(Array("theirs\n".utf8), to: others)
        #expect(try await fixture.stores("mine\n", of: "web-1"))
        #expect(try await fixture.stores("theirs\n", of: "db-1"))
        let token = bearer(try fixture.token([.read, .console], vms: ["web-*"]))
        #expect(try await client.ask("GET", "/v1/logs?vm=web-1", token).text.contains("mine"))
        #expect(try await client.ask("GET", "/v1/logs?all=1", token).text.contains("theirs") == false)
        let listed = try await client.ask("GET", "/v1/vms", token).json["vms"]?.elements?.compactMap {
            $0["name"]?.text
        }
        #expect(listed == ["web-1"])
        for path in ["/v1/logs?vm=NAME", "/v1/vms/NAME/boots", "/v1/vms/NAME/wait?pattern=x&timeout=1ms"] {
            let hidden = try await client.ask("GET", path.replacing("NAME", with: "db-1"), token)
            let absent = try await client.ask("GET", path.replacing("NAME", with: "db-2"), token)
            #expect(hidden.status == 404)
            #expect(hidden.text == absent.text.replacing("db-2", with: "db-1"), "\(path)")
        }
        let session = try await WebSocketClient(client, "/v1/vms/db-1/console", token)
        #expect(try await session.refusal()?.contains("no console of a VM named db-1") == true)
        #expect(try await client.ask("GET", "/v1/status", token).status == 403)
    }

    @Test("a title leads only to VMs that the token names: others with it are absent, and make it no less unique")
    func titles() async throws {
        let uuids = ["6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", "7c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"]
        let titled = [("web-1", uuids[0], "Shop"), ("db-1", uuids[1], "Shop"), ("db-2", nil, "Payroll")]
        let domains = titled.map { name, uuid, title in
            var facts = DomainFacts(name: name, uuid: uuid)
            facts.title = title
            return Domain(facts: facts, isRunning: true)
        }
        let fixture = try ServerFixture(domains: domains)
        let client = try fixture.open()
        let guests = try titled.map { name, uuid, _ in try fixture.addConsole(name, uuid: uuid).release() }
        defer { guests.forEach { close($0) } }
        for (guest, (name, uuid, _)) in zip(guests, titled) {
            #expect(write(guest, name + "\n", name.utf8.count + 1) > 0)
            #expect(try await fixture.stores(name + "\n", of: name, uuid: uuid))
        }
        let web = bearer(try fixture.token(vms: ["web-*"]))
        for path in ["/v1/logs?vm=TITLE", "/v1/vms/TITLE/boots", "/v1/vms/TITLE/wait?pattern=x&timeout=1ms"] {
            let hidden = try await client.ask("GET", path.replacing("TITLE", with: "Payroll"), web)
            let absent = try await client.ask("GET", path.replacing("TITLE", with: "Nothing"), web)
            #expect(hidden.status == 404)
            #expect(hidden.text == absent.text.replacing("Nothing", with: "Payroll"), "\(path)")
        }
        #expect(try await client.ask("GET", "/v1/logs?vm=Shop", web).text.contains("web-1"))
        let db = bearer(try fixture.token(vms: ["db-*"]))
        #expect(try await client.ask("GET", "/v1/logs?vm=Shop", db).text.contains("db-1"))
        #expect(try await client.ask("GET", "/v1/logs?vm=Payroll", db).text.contains("db-2"))
        let all = bearer(try fixture.token())
        for path in ["/v1/logs?vm=Shop", "/v1/vms/Shop/boots", "/v1/vms/Shop/wait?pattern=x&timeout=1ms"] {
            let answer = try await client.ask("GET", path, all)
            #expect(answer.status == 409, "\(path)")
            #expect(answer.text.contains("Shop is ambiguous: "), "\(answer.text)")
        }
    }

    @Test("a follower of all VMs gets new ones that it may see, and no others")
    func followsOwn() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let socket = try client.connect()
        let token = bearer(try fixture.token(vms: ["web-*", "lab/*"]))
        client.send(client.head("GET", "/v1/logs?all=1&follow=1&format=json", token), to: socket)
        var heard: [UInt8] = []
        func hears(_ word: String) async throws -> Bool {
            while heard.firstRange(of: Array(word.utf8)) == nil, let more = try await client.read(from: socket) {
                heard += more
            }
            return heard.firstRange(of: Array(word.utf8)) != nil
        }
        try #require(try await hears("200 OK"))
        let guests = try ["db-1", "web-1", "web-2"].map { name in
            let guest = try fixture.addConsole(name)
            writeAll(Array("\(name) speaks\n".utf8), to: guest)
            return guest.release()
        }
        defer { guests.forEach { close($0) } }
        #expect(try await hears("web-1 speaks"))
        #expect(try await hears("web-2 speaks"))
        let pair = try Descriptor.socketPair()
        let key = StreamKey(name: "db", namespace: "lab")
        fixture.hub.add(try .init(key: key, endpoint: .inherited), descriptor: try pair.second.duplicate())
        writeAll(Array("lab speaks\n".utf8), to: pair.first)
        #expect(try await hears("lab speaks"))
        #expect(!String(decoding: heard, as: UTF8.self).contains("db-1"))
    }

    @Test("what a token has begun ends with it: followed logs and console sessions")
    func endsWithToken() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "web"))
        let text = try fixture.token([.read, .console])
        let following = try client.connect()
        client.send(client.head("GET", "/v1/logs?vm=web&follow=1", bearer(text)), to: following)
        let session = try await WebSocketClient(client, "/v1/vms/web/console", bearer(text))
        #expect(await awaits { fixture.hub.statuses().first?.writer?.hasPrefix("token ") == true })
        let other = try await WebSocketClient(client, "/v1/vms/web/console", bearer(try fixture.token([.console])))
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 2 })
        try await fixture.revoke(text)
        _ = try await client.readAll(from: following)
        #expect(try await end(of: session) == "the token was revoked")
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 1 })
        // Others stay.
        writeAll(Array("more\n".utf8), to: guest)
        #expect(try await other.hears("more\n"))

        let soon = try fixture.token([.console], expires: fixture.now.advanced(byMicroseconds: 300_000))
        let brief = try await WebSocketClient(client, "/v1/vms/web/console", bearer(soon))
        // It may have expired before the session began, which is refused then.
        #expect(try await end(of: brief)?.contains("expired") == true)
    }

    /// The reason in the close frame with the code 1008 that is the session's last one; nil when it has none.
    private func end(of session: WebSocketClient) async throws -> String? {
        var last: (opcode: UInt8, bytes: [UInt8])?
        while let frame = try await session.frame() {
            last = frame
        }
        guard let last, last.opcode == 8, last.bytes.prefix(2) == [0x03, 0xf0] else {
            return nil
        }
        return String(decoding: last.bytes.dropFirst(2), as: UTF8.self)
    }

    @Test("the daemon's own socket cannot be captured as a console")
    func ownSocket() async throws {
        let fixture = try ServerFixture(servesItself: false)
        let error = await #expect(throws: APIError.self) { try await fixture.client.get(RequestTarget(["v1", "vms"])) }
        #expect(error?.status == 403)
    }

    @Test("HEAD gets no body, and an invalid opening handshake is refused")
    func oddRequests() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let token = bearer(try fixture.token([.read, .console]))
        for path in ["/", "/v2.1", "/v1/vms", "/nowhere"] {
            let head = try await client.ask("HEAD", path, token)
            #expect(head.status > 0 && head.body.isEmpty, "\(path)")
        }
        let fields = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODw=="),
        ]
        for (method, body) in [("GET", "abcde"), ("POST", ""), ("POST", "abcde")] {
            #expect(try await client.ask(method, "/v1/vms/web/console", token + fields, body: body).status != 101)
        }
        #expect(try await client.ask("GET", "/v1/vms", token + [("Host", "evil\"x")]).status == 400)
    }

    @Test("pages of other origins are refused")
    func origins() async throws {
        let fixture = try ServerFixture()
        let closed = try fixture.open(TCPListener(identity: nil, origins: ["https://horizon.example.org"]))
        let token = ("X-Auth-Token", try fixture.token([.read, .console]))
        let own = "http://" + closed.address.description
        let refused = ["https://evil.example.org", "null", "https://" + closed.address.description]
        for (origin, status) in [(own, 200), ("https://horizon.example.org", 200)] + refused.map({ ($0, 403) }) {
            #expect(try await closed.ask("GET", "/v1/vms", [token, ("Origin", origin)]).status == status, "\(origin)")
        }
        let session = try await WebSocketClient(closed, "/v1/vms/web/console", [token, ("Origin", refused[0])])
        #expect(try await session.refusal()?.contains("is not allowed") == true)

        let anonymous = try fixture.open(TCPListener(identity: nil, isAnonymous: true))
        #expect(try await anonymous.ask("GET", "/v1/vms").status == 200)
        #expect(try await anonymous.ask("GET", "/v1/vms", [("Host", "localhost:80")]).status == 200)
        #expect(try await anonymous.ask("GET", "/v1/vms", [("Host", "evil.example.org")]).status == 403)
        #expect(try await anonymous.ask("DELETE", "/v1/vms/web").status == 403)
        #expect(try await anonymous.ask("GET", "/v1/vms", [("X-Auth-Token", "gl_0_0")]).status == 401)
    }

    @Test("a connection without a request is closed")
    func requestTimeout() async throws {
        var limits = APIServer.Limits()
        limits.requestTimeout = .milliseconds(20)
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let first = try client.connect()
        client.send(Array("GET /v1/vms HTTP/1.1\r\nHost:".utf8), to: first)
        #expect(try await client.readAll(from: first).isEmpty)
    }

    @Test("a connection on which something else than HTTP comes is answered and closed, first and after a request")
    func malformed() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        for before in ["", "GET /v1/nowhere HTTP/1.1\r\nHost: \(client.address)\r\n\r\n"] {
            for text in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
                let socket = try client.connect()
                client.send(Array((before + text).utf8), to: socket)
                let answer = String(decoding: try await client.readAll(from: socket), as: UTF8.self)
                #expect(answer.contains("HTTP/1.1 400 Bad Request\r\n"), "\(answer)")
                #expect(answer.contains("\"code\":\"bad_request\""), "\(answer)")
            }
        }
    }

    @Test("tokens outlive the daemon, their secrets are not stored, and a damaged file does not count as an empty one")
    func register() throws {
        let folder = TemporaryFolder()
        let store = Store(root: folder.path)
        let access = Access(scopes: [.read, .console], vms: VMPattern(["web-*", "lab/*"]))
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        let made = try TokenRegister(in: store).add(name: "nova", access: access, now: now, expires: nil)
        let again = TokenRegister(in: store)
        #expect(again.all == [made.token])
        #expect(try again.caller(with: made.text, at: now)?.access == access)
        let path = folder.path + "/access/tokens.json"
        let kept = try #require(try LinuxFileSystem().contents(of: path))
        let secret = try #require(AccessToken.parts(of: made.text)).secret
        #expect(kept.firstRange(of: Array(secret.utf8)) == nil)
        for damaged in [
            "", "{}", "[]", #"{"tokens": [{"id": "x"}]}"#, String(decoding: kept.dropLast(9), as: UTF8.self),
        ] {
            try LinuxFileSystem().replace("tokens.json", in: folder.path + "/access", with: Array(damaged.utf8))
            let register = TokenRegister(in: store)
            #expect(register.damage is TokenRegister.Damaged, "\(damaged)")
            #expect(throws: APIError.self) { try register.add(name: "", access: access, now: now, expires: nil) }
            let refused = #expect(throws: APIError.self) { try register.caller(with: made.text, at: now) }
            #expect(refused?.status == 503 && refused?.message.contains("damaged") == true)
        }
    }

    @Test("a request for a token is refused unless all of it is valid")
    func oddTokens() async throws {
        let fixture = try ServerFixture()
        for body in [
            "", "{}", #"{"scopes": [], "vms": ["*"]}"#, #"{"scopes": ["root"], "vms": ["*"]}"#,
            #"{"scopes": ["read"], "vms": []}"#, #"{"scopes": ["read"], "vms": [1]}"#,
            #"{"scopes": ["read"], "vms": ["*"], "life": "soon"}"#,
            #"{"scopes": ["read"], "vms": ["*"], "life": "0s"}"#,
            #"{"scopes": ["read"], "vms": ["*", ""]}"#, #"{"scopes": ["read"], "vms": ["lab/web/x"]}"#,
            #"{"scopes": ["read"], "scopes": ["admin"], "vms": ["*"]}"#,
            #"{"scopes": ["read"], "vms": ["*"], "name": "a\u0007b"}"#,
        ] {
            let context = fixture.server.context
            let call = Call.of(Caller(nil), body: Array(body.utf8), in: context)
            let error = await #expect(throws: APIError.self, "\(body)") {
                try await V1API(context: context).addToken(call)
            }
            #expect(error?.status == 400)
        }
        #expect(fixture.server.tokens.all.isEmpty)
    }
}

/// Outputs that note what is asked of them.
private final class NotedOutputs: OutputControl {
    let asked = Mutex<[String]>([])

    func statuses() async -> [JSON] {
        asked.withLock { $0.append("statuses") }
        return []
    }

    func skip(_ name: String) async throws {
        asked.withLock { $0.append("skip " + name) }
    }

    func replay(_ name: String, since moment: Timestamp) async throws {
        asked.withLock { $0.append("replay " + name) }
    }
}
