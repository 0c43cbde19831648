// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// The OpenStack part of the API.
@Suite(.limited) struct NovaTests {
    private static let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
    private static let servers = "/v2.1/servers/"

    private func version(_ text: String) -> (String, String) { ("OpenStack-API-Version", "compute " + text) }

    /// A caller without the scope admin, on a server with the VM `web`, whose guest has printed `text`.
    private func makeNova(_ text: String, _ options: NovaOptions = NovaOptions()) async throws -> NovaFixture {
        let nova = try NovaFixture(ServerFixture(nova: options))
        writeAll(Array(text.utf8), to: nova.guest)
        if !text.isEmpty {
            #expect(try await nova.fixture.stores(text, of: "web", uuid: Self.uuid))
        }
        return nova
    }

    private final class NovaFixture {
        let fixture: ServerFixture
        let guest: Descriptor
        let client: NetworkClient
        let token: String

        init(_ fixture: ServerFixture) throws {
            self.fixture = fixture
            guest = try fixture.addConsole("web", uuid: uuid)
            client = try fixture.open()
            token = try fixture.token([.read, .console])
        }

        func ask(_ method: String, _ path: String, _ fields: [(String, String)] = [], body: String = "") async throws
            -> NetworkClient.Answer
        {
            try await client.ask(method, path, [("X-Auth-Token", token)] + fields, body: body)
        }

        func output(_ length: String) async throws -> String? {
            let body = #"{"os-getConsoleOutput": {"length": \#(length)}}"#
            return try await ask("POST", servers + uuid + "/action", body: body).json["output"]?.text
        }
    }

    @Test("the versions are public; a request with an unsupported version is refused as by nova")
    func versions() async throws {
        let nova = try await makeNova("")
        let all = try await nova.client.ask("GET", "/")
        #expect(all.json["versions"]?.elements?.first?["id"]?.text == "v2.1")
        let own = try await nova.client.ask("GET", "/v2.1/")
        #expect(own.json["version"]?["min_version"]?.text == "2.1")
        let newest = try #require(own.json["version"]?["version"]?.text)
        for (word, answered) in [("2.1", "2.1"), ("2.10", "2.10"), ("latest", newest)] {
            let answer = try await nova.ask("GET", Self.servers, [version(word)])
            #expect(answer.headers["openstack-api-version"] == "compute " + answered)
            #expect(answer.headers["vary"]?.contains("OpenStack-API-Version") == true)
        }
        for (word, status) in [("2.0", 406), ("2.999", 406), ("3.1", 406), ("x", 400), ("2", 400), ("2.1.1", 400)] {
            #expect(try await nova.ask("GET", Self.servers, [version(word)]).status == status, "\(word)")
        }
        let other = ("OpenStack-API-Version", "volume 3.70, compute 2.3")
        #expect(try await nova.ask("GET", Self.servers, [other]).headers["x-openstack-nova-api-version"] == "2.3")
    }

    @Test("a server is found by id and by name, in pages")
    func findsServers() async throws {
        let nova = try await makeNova("hello\n")
        let shown = try await nova.ask("GET", Self.servers + Self.uuid).json["server"]
        #expect(shown?["name"]?.text == "web" && shown?["status"]?.text == "ACTIVE")
        for (question, ids) in [
            ("?name=web", [Self.uuid]), ("?name=%5Eweb%24", [Self.uuid]), ("?name=WE", [Self.uuid]), ("?name=db", []),
            ("?uuid=\(Self.uuid)", [Self.uuid]), ("/detail?status=active", [Self.uuid]), ("?status=SHUTOFF", []),
            ("?limit=0", []), ("?limit=1", [Self.uuid]), ("?marker=\(Self.uuid)", []),
        ] {
            let answer = try await nova.ask("GET", "/v2.1/servers" + question)
            #expect(answer.json["servers"]?.elements?.map { $0["id"]?.text } == ids, "\(question)")
        }
        for question in ["?limit=x", "?limit=-1", "?marker=nobody", "?name=%28"] {
            #expect(try await nova.ask("GET", "/v2.1/servers" + question).status == 400, "\(question)")
        }
        let second = try nova.fixture.addConsole("db")
        _ = second.raw
        let page = try await nova.ask("GET", "/v2.1/servers?limit=1").json
        let next = try #require(page["servers_links"]?.elements?.first?["href"]?.text)
        let index = try #require(next.firstRange(of: "/v2.1")?.lowerBound)
        let rest = try await nova.ask("GET", String(next[index...])).json["servers"]?.elements
        #expect(rest?.count == 1 && rest?.first?["id"] != page["servers"]?.elements?.first?["id"])
        for project in ["0123456789abcdef0123456789abcdef", "7BF2F5E0-2D1C-4A55-8E34-1E6E1D4C4C01", "abc123", "42"] {
            let server = "/v2.1/\(project)/servers/" + Self.uuid
            #expect(try await nova.ask("GET", server).json["server"]?["id"]?.text == Self.uuid, "\(project)")
        }
        #expect(try await nova.ask("GET", "/v2.1/demo/servers/" + Self.uuid).status == 404)
    }

    @Test("N lines are the last N, or all when all are requested, and a prompt counts as a line")
    func correctedLengths() async throws {
        let nova = try await makeNova("one\r\ntwo\u{1b}[31m!\u{1b}[0m\r\nthrée\r\nlogin: ")
        let all = "one\ntwo!\nthrée\nlogin: \n"
        for (length, wanted) in [
            ("1", "login: \n"), ("2", "thrée\nlogin: \n"), ("\"2\"", "thrée\nlogin: \n"),
            ("3", "two!\nthrée\nlogin: \n"),
            ("99", all), ("null", all), ("-1", all), ("0", ""), ("9223372036854775807", all),
        ] {
            #expect(try await nova.output(length) == wanted, "\(length)")
        }
        let empty = try await nova.ask(
            "POST",
            Self.servers + Self.uuid + "/action",
            body: #"{"os-getConsoleOutput": {}}"#
        )
        #expect(empty.json["output"]?.text == all)
    }

    @Test("by nova's rules the output is that of nova itself")
    func novasLengths() async throws {
        var options = NovaOptions()
        options.output = .nova
        let nova = try await makeNova("one\r\ntwo\u{1b}[31m!\r\nthrée\t\u{7f}\n", options)
        let all = "one\ntwo[31m!\nthr\u{fffd}\u{fffd}e\t\u{7f}\n"
        for (length, wanted) in [
            ("1", ""), ("2", "thr\u{fffd}\u{fffd}e\t\u{7f}\n"), ("null", all), ("0", ""),
            ("-1", "two[31m!\nthr\u{fffd}\u{fffd}e\t\u{7f}\n"), ("99", all),
        ] {
            #expect(try await nova.output(length) == wanted, "\(length)")
        }
    }

    @Test("of a long console the end is returned, as much as the rules allow, whatever the length of its lines")
    func bounds() async throws {
        for (rules, most) in [(NovaOutputRules.corrected, 1 << 20), (.nova, 100 << 10)] {
            var options = NovaOptions()
            options.output = rules
            let line = String(repeating: "x", count: 30)
            let text =
                (0..<50_000).map { "\($0) \(line)\n" }.joined() + String(repeating: "\n", count: 20_000) + "end\n"
            let nova = try await makeNova(text, options)
            let body = #"{"os-getConsoleOutput": {"length": null}}"#
            let answer = try await nova.ask("POST", Self.servers + Self.uuid + "/action", body: body)
            let output = try #require(answer.json["output"]?.text, "\(answer.status): \(answer.body.count) bytes")
            #expect(output.hasSuffix("\n\nend\n"))
            #expect(text.hasSuffix(output))
            #expect(output.utf8.count <= most && output.utf8.count > most - 100, "\(rules): \(output.utf8.count)")
        }
    }

    @Test("an invalid length, action or server is refused as by nova")
    func refusals() async throws {
        let nova = try await makeNova("hello\n")
        for length in ["-2", "1.5", "true", "\"NaN\"", "\"\"", "\"1.0\"", "[]", "{}", "99999999999999999999"] {
            #expect(try await nova.output(length) == nil, "\(length)")
        }
        let action = Self.servers + Self.uuid + "/action"
        for (body, status) in [
            ("", 400), ("[]", 400), ("{}", 400), (#"{"os-getConsoleOutput": 5}"#, 400), (#"{"reboot": {}}"#, 400),
            (#"{"os-getConsoleOutput": {"lines": 5}}"#, 400), (#"{"os-getConsoleOutput": {}, "reboot": {}}"#, 400),
            (#"{"os-getSerialConsole": {"type": "vnc"}}"#, 400), (#"{"os-getConsoleOutput": {}}"#, 200),
        ] {
            #expect(try await nova.ask("POST", action, body: body).status == status, "\(body)")
        }
        let output = #"{"os-getConsoleOutput": {}}"#
        let nobody = Self.servers + "00000000-0000-0000-0000-000000000000/action"
        let missing = try await nova.ask("POST", nobody, body: output)
        #expect(missing.status == 404)
        #expect(missing.json["itemNotFound"]?["code"] == .integer(404))
        #expect(missing.json["itemNotFound"]?["message"]?.text?.contains("could not be found") == true)

        let none = try await nova.client.ask("POST", action, body: output)
        #expect(none.status == 401 && none.json["error"]?["code"] == .integer(401))
        let client = nova.client
        let deaf = try await client.ask(
            "POST",
            action,
            [("X-Auth-Token", try nova.fixture.token([.console]))],
            body: output
        )
        #expect(deaf.status == 403 && deaf.json["forbidden"]?["code"] == .integer(403))
        let others = try await client.ask(
            "POST",
            action,
            [("X-Auth-Token", try nova.fixture.token(vms: ["db-*"]))],
            body: output
        )
        #expect(others.status == 404 && others.json["itemNotFound"] != nil)
        let named = try await client.ask(
            "POST",
            action,
            [("X-Auth-Token", try nova.fixture.token(vms: [Self.uuid]))],
            body: output
        )
        #expect(named.json["output"]?.text == "hello\n")
        #expect(try await nova.ask("GET", "/v2.1/flavors").status == 404)
    }

    // MARK: - Serial consoles

    private static let serial = #"{"remote_console": {"protocol": "serial", "type": "serial"}}"#

    private func address(_ nova: NovaFixture) async throws -> String {
        let path = Self.servers + Self.uuid + "/remote-consoles"
        let answer = try await nova.ask("POST", path, [version("2.6")], body: Self.serial)
        let url = try #require(answer.json["remote_console"]?["url"]?.text)
        let base = "ws://\(nova.client.address)"
        try #require(url.hasPrefix(base + "/serial?token="))
        return String(url.dropFirst(base.utf8.count))
    }

    @Test("a client types through a serial console's address, in binary or base 64, while its output is read")
    func typesAndReads() async throws {
        let nova = try await makeNova("login: ")
        for (word, opcode) in [("binary", UInt8(2)), ("base64", 1)] {
            let isText = opcode == 1
            let fields = [("Sec-WebSocket-Protocol", isText ? "base64" : "base64, binary")]
            let session = try await WebSocketClient(nova.client, try await address(nova), fields)
            #expect(session.answer.status == 101)
            #expect(session.answer.headers["sec-websocket-protocol"] == word)
            let typed = isText ? Array("cm9vdAo=".utf8) : Array("root\n".utf8)
            session.send(typed, opcode: opcode)
            var room = [UInt8](repeating: 0, count: 16)
            var heard: [UInt8] = []
            #expect(
                await awaits {
                    let count = read(nova.guest.raw, &room, room.count)
                    heard += room.prefix(max(0, count))
                    return heard == Array("root\n".utf8)
                }
            )
            writeAll(Array("\(word)# ".utf8), to: nova.guest)
            #expect(try await session.hears("\(word)# ") { isText ? Base64.decode($0) : $0 })
            #expect(try await nova.fixture.stores("\(word)# ", of: "web", uuid: Self.uuid))
            #expect(try await nova.output("1")?.hasSuffix("\(word)# \n") == true)
        }
        let broken = try await WebSocketClient(
            nova.client,
            try await address(nova),
            [("Sec-WebSocket-Protocol", "base64")]
        )
        broken.send(Array("!".utf8), opcode: 1)
        var last: UInt8?
        while let (opcode, _) = try await broken.frame() {
            last = opcode
        }
        #expect(last == 8)
    }

    @Test("of two clients at one address the first types, until it leaves or the other asks for it")
    func sharedAddress() async throws {
        let nova = try await makeNova("")
        let url = try await address(nova)
        func hears(_ text: String) async -> Bool {
            var heard: [UInt8] = []
            return await awaits {
                var room = [UInt8](repeating: 0, count: 16)
                let count = read(nova.guest.raw, &room, room.count)
                heard += room.prefix(max(0, count))
                return heard == Array(text.utf8)
            }
        }
        func join(_ url: String, _ number: Int) async throws -> WebSocketClient {
            let session = try await WebSocketClient(nova.client, url)
            #expect(await awaits { nova.fixture.hub.statuses().first?.watchers == number })
            return session
        }
        do {
            let first = try await join(url, 1)
            let second = try await join(url, 2)
            second.send(Array("second\n".utf8), opcode: 2)
            first.send(Array("first\n".utf8), opcode: 2)
            #expect(await hears("first\n"))
            let third = try await join(url + "&mode=steal", 3)
            third.send(Array("third\n".utf8), opcode: 2)
            #expect(await hears("third\n"))
            first.send([], opcode: 8)
            third.send([], opcode: 8)
            #expect(await awaits { nova.fixture.hub.statuses().first?.watchers == 1 })
            second.send(Array("second again\n".utf8), opcode: 2)
            #expect(await hears("second again\n"))
        }
    }

    @Test("an address is valid for its lifetime, its VM, and its own page")
    func addresses() async throws {
        var options = NovaOptions()
        options.consoleLife = 0
        let late = try await makeNova("", options)
        #expect(try await WebSocketClient(late.client, try await address(late)).refusal()?.contains("expired") == true)

        let nova = try await makeNova("")
        let url = try await address(nova)
        let elsewhere = try await WebSocketClient(nova.client, url, [("Origin", "https://evil.example.org")])
        #expect(try await elsewhere.refusal()?.contains("is not allowed") == true)
        #expect(try await nova.client.ask("GET", url).status == 426)
        #expect(try await nova.client.ask("GET", "/serial?token=x").status == 403)
        #expect(try await WebSocketClient(nova.client, "/serial").refusal()?.contains("unknown or expired") == true)
        let id = try #require(AccessToken.parts(of: nova.token)).id
        let path = Self.servers + Self.uuid
        let old = #"{"os-getSerialConsole": {"type": "serial"}}"#
        let console = try await nova.ask("POST", path + "/action", body: old).json["console"]
        #expect(console?["type"]?.text == "serial" && console?["url"]?.text?.hasPrefix("ws://") == true)
        #expect(try await nova.ask("POST", path + "/action", [version("2.6")], body: old).status == 404)
        #expect(try await nova.ask("POST", path + "/remote-consoles", body: Self.serial).status == 404)
        let screen = Self.serial.replacing("\"serial\"", with: "\"vnc\"")
        #expect(try await nova.ask("POST", path + "/remote-consoles", [version("2.6")], body: screen).status == 400)
        let reader = ("X-Auth-Token", try nova.fixture.token([.read]))
        let refused = try await nova.client.ask(
            "POST",
            path + "/remote-consoles",
            [reader, version("2.6")],
            body: Self.serial
        )
        #expect(refused.status == 403)
        #expect(try nova.fixture.server.tokens.revoke(id))
        #expect(try await WebSocketClient(nova.client, url).refusal()?.contains("unknown or expired") == true)
    }

    @Test("an admin's proxy gets the address of a serial console that is a TCP port")
    func lookUpToken() async throws {
        let nova = try await makeNova("")
        let key = StreamKey(name: "db", uuid: "7c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        let listener = try NetworkAddress("127.0.0.1:0")!.listen()
        let address = try #require(NetworkAddress(boundTo: listener.raw))
        nova.fixture.hub.add(try .init(key: key, endpoint: .tcp(address)))
        var vmm: Int32 = -1
        #expect(
            await awaits {
                vmm = accept(listener.raw, nil, nil)
                return vmm >= 0
            }
        )
        defer { close(vmm) }
        #expect(await awaits { nova.fixture.hub.statuses().allSatisfy(\.isConnected) })
        let body = try await nova.ask(
            "POST",
            Self.servers + key.uuid! + "/remote-consoles",
            [version("2.31")],
            body: Self.serial
        )
        let url = try #require(body.json["remote_console"]?["url"]?.text)
        let token = String(url.split(separator: "=")[1])
        let admin = [("X-Auth-Token", try nova.fixture.token([.admin])), version("2.31")]
        let path = "/v2.1/os-console-auth-tokens/"
        let console = try await nova.client.ask("GET", path + token, admin).json["console"]
        #expect(console?["instance_uuid"]?.text == key.uuid)
        #expect(console?["host"]?.text == "127.0.0.1" && console?["port"] == .integer(Int64(address.port)))
        #expect(try await nova.client.ask("GET", path + "nobody", admin).status == 404)
        #expect(try await nova.client.ask("GET", path + token, [admin[0]]).status == 400)
        #expect(try await nova.ask("GET", path + token, [version("2.31")]).status == 403)
    }
}
