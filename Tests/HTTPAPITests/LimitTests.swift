// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import Glibc
import LogModel
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// The limits of one client's use of resources.
@Suite(.limited) struct LimitTests {
    private func bearer(_ token: String) -> [(String, String)] { [("Authorization", "Bearer \(token)")] }

    @Test("idle connections without a token are closed for new ones, so they exclude no client")
    func idleGiveWay() async throws {
        var limits = APIServer.Limits.longTimeouts
        limits.networkConnections = 8
        limits.connectionsPerAddress = 4
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let token = bearer(try fixture.token())
        var idle: [Int32] = []
        defer { idle.forEach { close($0) } }
        for _ in 0..<40 {
            idle.append(try client.connect().release())
            #expect(try await client.ask("GET", "/v1/vms", token).status == 200)
        }
        // A request that never ends is as idle as none.
        let slow = try client.connect()
        client.send(Array("GET /v1/vms HTTP/1.1\r\nHost:".utf8), to: slow)
        for _ in 0..<4 {
            idle.append(try client.connect().release())
        }
        #expect(try await client.readAll(from: slow).isEmpty)
    }

    @Test("a token's requests in progress are limited; the next is refused with the limit")
    func perToken() async throws {
        var limits = APIServer.Limits.longTimeouts
        limits.connectionsPerToken = 2
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let token = bearer(try fixture.token())
        var waiting: [Int32] = []
        defer { waiting.forEach { close($0) } }
        for _ in 0..<2 {
            let socket = try client.connect()
            client.send(client.head("GET", "/v1/logs?all=1&follow=1", token), to: socket)
            #expect(try await client.read(from: socket) != nil)
            waiting.append(socket.release())
        }
        let refused = try await client.ask("GET", "/v1/vms", token)
        #expect(refused.status == 429 && refused.json["code"] == .string("limit_reached"))
        #expect(refused.json["error"]?.text?.contains("has 2 requests in progress") == true)
        // Others are served, and so is this token after it has closed one.
        #expect(try await client.ask("GET", "/v1/vms", bearer(try fixture.token())).status == 200)
        close(waiting.removeLast())
        #expect(try await awaits { try await client.ask("GET", "/v1/vms", token).status == 200 })
    }

    @Test("a token reads one VM in at most sixteen sessions, of whatever kind and however it names the VM")
    func perVM() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let guest = try fixture.addConsole("web", uuid: uuid)
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "web", uuid: uuid))
        let token = bearer(try fixture.token([.read, .console]))
        var open: [Int32] = []
        defer { open.forEach { close($0) } }
        var sessions: [WebSocketClient] = []
        for number in 0..<16 {
            if number % 4 == 0 {
                sessions.append(try await WebSocketClient(client, "/v1/vms/web/console?mode=watch", token))
                #expect(await awaits { fixture.hub.statuses().first?.watchers == sessions.count })
                continue
            }
            let words = ["", "vm=web&follow=1", "vm=\(uuid)&follow=1", "all=1&follow=1"]
            let socket = try client.connect()
            client.send(client.head("GET", "/v1/logs?" + words[number % 4], token), to: socket)
            #expect(try await client.read(from: socket) != nil)
            open.append(socket.release())
        }
        for path in ["/v1/logs?vm=web", "/v1/vms/web/wait?pattern=x", "/v1/vms/\(uuid)/boots"] {
            let refused = try await client.ask("GET", path, token)
            #expect(refused.status == 429 && refused.text.contains("16 sessions"), "\(path): \(refused.text)")
        }
        let session = try await WebSocketClient(client, "/v1/vms/web/console?mode=watch", token)
        #expect(try await session.refusal()?.contains("16 sessions") == true)
        #expect(try await client.ask("GET", "/v1/vms", token).status == 200)
    }

    @Test("sessions of clients that may not see a VM do not count as its readers, and are not told how many it has")
    func strangers() async throws {
        var limits = APIServer.Limits.longTimeouts
        // None of the connections is closed before its request is read.
        limits.connectionsPerAddress = 512
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let guest = try fixture.addConsole("db")
        writeAll(Array("hello\n".utf8), to: guest)
        #expect(try await fixture.stores("hello\n", of: "db"))
        let strangers = try (0..<4).map { _ in bearer(try fixture.token(vms: ["web"])) }
        var open: [Int32] = []
        defer { open.forEach { close($0) } }
        for stranger in strangers {
            for path in ["/v1/vms/db/wait?pattern=x", "/v1/logs?all=1&follow=1"] {
                // Of seventeen one is refused at once; then all others are counted.
                let sockets = try (0..<17).map { _ in
                    let socket = try client.connect()
                    client.send(client.head("GET", path, stranger), to: socket)
                    return socket.release()
                }
                open += sockets
                #expect(
                    await awaits {
                        sockets.contains { socket in
                            var start = [UInt8](repeating: 0, count: 12)
                            let count = recv(socket, &start, start.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
                            return String(decoding: start.prefix(max(0, count)), as: UTF8.self) == "HTTP/1.1 429"
                        }
                    }
                )
            }
        }
        let owner = bearer(try fixture.token([.read, .console]))
        let newcomer = bearer(try fixture.token(vms: ["new"]))
        #expect(try await client.ask("GET", "/v1/logs?vm=db", owner).status == 200)
        #expect(try await client.ask("GET", "/v1/logs?all=1", newcomer).status == 200)

        let leases = try (0..<64).map { number in
            let reader = Caller(name: "reader", access: .all, token: "reader-\(number)")
            return try fixture.server.context.sessions.lease(["db"], for: reader)
        }
        defer { withExtendedLifetime(leases) {} }
        for (method, path, body) in [
            ("GET", "/v1/logs?vm=db", ""), ("GET", "/v1/vms/db/boots", ""),
            ("GET", "/v1/vms/db/wait?pattern=x&timeout=1ms", ""),
            ("POST", "/v2.1/servers/db/action", #"{"os-getConsoleOutput": {}}"#),
        ] {
            #expect(try await client.ask(method, path, owner, body: body).status == 503, "\(path)")
            #expect(try await client.ask(method, path, newcomer, body: body).status == 404, "\(path)")
        }
    }

    @Test("followers that do not read are paused: the daemon buffers no more for them than its limits")
    func pausedFollowers() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        let text = NumberedLines.text(60_000)
        writeAll(text, to: guest)
        #expect(try await fixture.stores(String(decoding: text.suffix(20), as: UTF8.self), of: "web"))
        let token = bearer(try fixture.token())
        var open: [Int32] = []
        defer { open.forEach { close($0) } }
        for _ in 0..<16 {
            let socket = try client.connect()
            client.send(client.head("GET", "/v1/logs?vm=web&follow=1", token), to: socket)
            open.append(socket.release())
        }
        // Others are served meanwhile, and unread output is not lost.
        #expect(try await client.ask("GET", "/v1/vms", bearer(try fixture.token())).status == 200)
        let first = Descriptor(owning: open.removeFirst())
        var heard: [UInt8] = []
        while NumberedLines.numbers(in: Array(heard.suffix(1000))).last != 59_999,
            let more = try await client.read(from: first)
        {
            heard += more
        }
        #expect(NumberedLines.numbers(in: heard).count == 60_000)
    }

    @Test("the Unix socket's listener has connections reserved for root and the daemon's own user")
    func reservedConnections() throws {
        let limit = ConnectionLimit(.local(6))
        let otherUser = Client.user(geteuid() + 1)
        var channels: [EmbeddedChannel] = []
        let closed = NIOLockedValueBox<[Int]>([])
        defer { channels.forEach { _ = try? $0.finish(acceptAlreadyClosed: true) } }
        func admit(_ client: Client) throws(APIError) -> CountedConnection {
            let channel = EmbeddedChannel()
            let number = channels.count
            channel.closeFuture.whenComplete { _ in closed.withLockedValue { $0.append(number) } }
            channels.append(channel)
            defer { channels.forEach { $0.embeddedEventLoop.run() } }
            return try limit.admit(channel, of: client)
        }
        // Three of six are reserved, and one user has half of the rest: idle ones are closed for new ones.
        for _ in 0..<4 {
            _ = try admit(otherUser)
        }
        #expect(closed.withLockedValue { $0 } == [0, 1, 2])
        for _ in 0..<5 {
            _ = try admit(.user(geteuid()))
        }
        #expect(closed.withLockedValue { $0.count } == 3)
        // Other users beyond the reserve replace only each other's connections.
        _ = try admit(.user(geteuid() + 2))
        #expect(closed.withLockedValue { $0 } == [0, 1, 2, 3])
    }

    @Test("the limits leave most descriptors to the guests, whatever the process's limit is")
    func descriptorShare() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(Acceptance.descriptorShare * 2 * 3 <= max(24, Int(clamping: limit.rlim_cur) / 4))
    }

    @Test("a listener without free descriptors pauses, and resumes")
    func acceptPause() throws {
        let channel = EmbeddedChannel(handler: AcceptPause(SpareDescriptors(0)))
        defer { _ = try? channel.finish() }
        channel.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
        #expect(channel.isReading == false)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(channel.isReading == true)
    }

    @Test("a spare descriptor is used for a connection first, and reopened when descriptors are free")
    func spareDescriptors() throws {
        let spares = SpareDescriptors(1)
        let channel = EmbeddedChannel(handler: AcceptPause(spares))
        defer { _ = try? channel.finish() }
        channel.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
        #expect(channel.isReading == nil)
        #expect(!spares.giveUpOne())
        #expect(!spares.isShort && spares.giveUpOne())
    }

    @Test("two clients with long reads share the threads with a third, in turns")
    func fairThreads() async throws {
        let threads = ReaderThreads()
        let gate = OneShot()
        let (greedy, other) = (Client.token("greedy"), Client.token("other"))
        let blocked = (0..<8).map { _ in
            Task { try await threads.run(for: greedy, while: { true }) { gate.wait() } }
        }
        // However many reads one client has begun, another's is run.
        #expect(try await threads.run(for: other, while: { true }) { 5 } == 5)
        await #expect(throws: ReaderThreads.ClientLeft.self) {
            try await threads.run(for: other, while: { false }) { 5 }
        }
        for task in blocked {
            gate.signal()
            _ = task
        }
        for task in blocked {
            try await task.value
        }
    }
}

extension EmbeddedChannel {
    /// The last state of reading; nil when it was never set.
    fileprivate var isReading: Bool? {
        options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }
}
