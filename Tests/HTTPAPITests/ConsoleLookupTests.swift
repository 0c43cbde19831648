// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

@Suite(.limited) struct ConsoleLookupTests {
    /// A server over a capture and a hub in `folder`; the capture runs.
    private func serve(in folder: borrowing TemporaryFolder, consoleLimit: Int = 100) throws -> APIServer {
        let options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/inflight")
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        var hubOptions = ConsoleHub.Options(table: folder.path + "/held")
        hubOptions.consoleLimit = consoleLimit
        let hub = try ConsoleHub(hubOptions, capture: capture, manager: ServiceManager())
        try capture.start()
        return APIServer(
            capture: capture,
            hub: hub,
            tokens: TokenRegister(in: capture.store),
            version: "test"
        )
    }

    /// The error of a request by `user` to add a console; nil: it was added.
    private func add(_ members: String, by user: UInt32?, to server: APIServer) async throws -> APIError? {
        let peer = user.map { PeerCredentials(process: 1, user: $0, group: 0) }
        let caller = Caller(peer)
        do {
            let call = Call.of(caller, body: Array("{\(members)}".utf8), in: server.context)
            _ = try await V1API(context: server.context).addConsole(call)
            return nil
        } catch let error as APIError {
            return error
        }
    }

    @Test("a VM whose console is not connected yet is not unknown: the error says why it has no log")
    func withoutLog() async throws {
        let fixture = try ServerFixture()
        let endpoint = Endpoint.connect(path: fixture.path + "/none.sock")
        fixture.hub.add(try ConsoleHub.Definition(key: StreamKey(name: "later"), endpoint: endpoint))
        for (vm, words) in [
            ("later", "nothing of later is stored yet: its console is not connected"), ("other", "no VM named other"),
        ] {
            for path in [["logs"], ["vms", vm, "boots"]] {
                let target = RequestTarget(["v1"] + path, path == ["logs"] ? ["vm": [vm]] : [:])
                let error = await #expect(throws: APIError.self) { _ = try await fixture.client.get(target) }
                #expect(error?.code == "no_such_vm" && error?.message.hasPrefix(words) == true, "\(error as Any)")
            }
        }
    }

    @Test("only root and the daemon's own user add consoles by path, and name plain files")
    func owners() async throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.context.capture.stop() }
        let otherUser = geteuid() + 1
        let fifo = folder.path + "/x.fifo"
        for endpoint in ["connect:/nowhere/x", "pty:/dev/tty", "listen:\(folder.path)/x.sock", "fifo:\(fifo)"] {
            for user in [otherUser, nil] {
                let refusal = try await add(#""name": "web", "endpoint": "\#(endpoint)""#, by: user, to: server)
                #expect(refusal?.status == 403 && refusal?.message.contains("guestlog.yaml") == true, "\(endpoint)")
            }
        }
        #expect(access(fifo, F_OK) != 0)
        let tcp = #""name": "remote", "endpoint": "tcp:127.0.0.1:1", "on_demand": true"#
        #expect(try await add(tcp, by: otherUser, to: server) == nil)
        let plain = #", "plain_file": "/etc/cron.d/x""#
        let remote = #""name": "other", "endpoint": "tcp:127.0.0.1:2", "on_demand": true"# + plain
        #expect(try await add(remote, by: otherUser, to: server)?.status == 403)
        for (name, user) in [("db", geteuid()), ("root", 0)] {
            let members = #""name": "\#(name)", "endpoint": "connect:/nowhere/\#(name)""# + plain
            #expect(try await add(members, by: user, to: server) == nil)
        }
        #expect(server.context.hub.statuses().map(\.definition.key.name) == ["db", "remote", "root"])
    }

    @Test(
        "an endpoint that can never be a console is refused with the reason, a conflict with the other console's name"
    )
    func refusals() async throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.context.capture.stop() }
        for (endpoint, reason) in [
            ("pty:/etc/passwd", "it is a regular file, not a pseudo-terminal"),
            ("pty:/dev/null", "it is a character device, not a pseudo-terminal"),
            ("connect:/etc/passwd", "it is a regular file, not a socket"),
            ("fifo:\(folder.path)", "it is a directory, not a FIFO"), ("listen:/proc/x.sock", "/proc/x.sock"),
            ("inherited", "use connect:"),
        ] {
            let refusal = try await add(#""name": "web", "endpoint": "\#(endpoint)""#, by: 0, to: server)
            #expect(
                refusal?.status == 400 && refusal?.message.contains(reason) == true,
                "\(endpoint): \(refusal as Any)"
            )
        }
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let first = #""name": "db", "endpoint": "connect:/nowhere/a", "uuid": "\#(uuid)""#
        #expect(try await add(first, by: 0, to: server) == nil)
        for (members, reason) in [
            (
                #""name": "u3", "endpoint": "connect:/nowhere/b", "uuid": "\#(uuid)""#,
                "the UUID \(uuid) is already used by db"
            ),
            (#""name": "u3", "endpoint": "connect:/nowhere//a""#, "is the console of db/console0"),
            (first, "db/console0"),
        ] {
            let refusal = try await add(members, by: 0, to: server)
            #expect(refusal?.status == 409 && refusal?.message.contains(reason) == true, "\(members)")
        }
        #expect(server.context.capture.problems.all.isEmpty)
    }

    @Test("a console that waits until another one ends is removed by its name, and cannot be joined")
    func waiting() async throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder, consoleLimit: 1)
        defer { server.context.capture.stop() }
        for name in ["a", "b"] {
            server.context.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: "/nowhere/" + name)))
        }
        let refusal = #expect(throws: APIError.self) { try server.context.consoles(of: "b", for: Caller(nil)) }
        #expect(refusal?.status == 404)
        let call = Call.of(Caller(nil), values: ["name": "b"], in: server.context)
        _ = try await V1API(context: server.context).removeConsole(call)
        #expect(server.context.hub.knownDefinitions().map(\.key.name) == ["a"])
        await #expect(throws: APIError.self) { try await V1API(context: server.context).removeConsole(call) }
    }

    @Test("canonically equivalent names are two VMs, each found by its own")
    func equivalentNames() throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.context.capture.stop() }
        for name in ["caf\u{e9}", "cafe\u{301}"] {
            server.context.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: "/nowhere/" + name)))
        }
        for name in ["caf\u{e9}", "cafe\u{301}"] {
            let found = try server.context.consoles(of: name, for: Caller(nil)).map(\.key)
            #expect(found == [StreamKey(name: name)])
        }
    }

    @Test("a console is found by name, namespace, UUID or folder; an ambiguous name is refused with all candidates")
    func lookUp() throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.context.capture.stop() }
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let keys = [
            StreamKey(name: "web", uuid: uuid), StreamKey(name: "web", namespace: "a"),
            StreamKey(name: "web", namespace: "a", stream: try #require(StreamName("console1"))),
            StreamKey(name: "db"),
        ]
        for (number, key) in keys.enumerated() {
            server.context.hub.add(try .init(key: key, endpoint: .connect(path: "/nowhere/\(number)")))
        }
        func found(_ word: String) throws(APIError) -> Set<StreamKey> {
            Set(try server.context.consoles(of: word, for: Caller(nil)).map(\.key))
        }
        #expect(try found("db") == [keys[3]])
        #expect(try found(uuid.uppercased()) == [keys[0]])
        #expect(try found(String(uuid.prefix(8))) == [keys[0]])
        #expect(try found("a.web") == [keys[1], keys[2]])
        #expect(try found("a/web") == [keys[1], keys[2]])
        let ambiguous = #expect(throws: APIError.self) { try found("web") }
        #expect(ambiguous?.status == 409)
        #expect(ambiguous?.message.contains(uuid) == true && ambiguous?.message.contains("a.web") == true)
        let unknown = #expect(throws: APIError.self) { try found("wbe") }
        #expect(unknown?.status == 404)
    }
}
