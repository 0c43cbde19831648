// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TestServers
import TestSupport
import Testing
import TestTraits

@testable import HTTPClient

private func client(_ url: String, _ change: (inout HTTPClient.Settings) -> Void = { _ in }) -> HTTPClient {
    var settings = HTTPClient.Settings()
    change(&settings)
    return HTTPClient(HTTPEndpoint(url)!, settings)
}

@Suite struct HTTPClientTests {
    @Test("a request arrives with its path, fields and body, and the response comes back")
    func request() async throws {
        let server = try StandInServer { request in
            .status(201, body: "got \(request.text)", headers: [("X-Test", "yes")])
        }
        let client = client(server.url + "/base/") { $0.headers = [(name: "X-Own", value: "1")] }
        let response = try await client.send(HTTPRequest(.POST, "/a?b=c", body: Array("hello".utf8)))
        #expect(response.status == 201)
        #expect(String(decoding: response.body, as: UTF8.self) == "got hello")
        #expect(response.headers.first(name: "X-Test") == "yes")
        #expect(server.requests[0].target == "/base/a?b=c")
        #expect(server.requests[0].headers.first(name: "X-Own") == "1")
        #expect(server.requests[0].headers.first(name: "Host") == "127.0.0.1:\(server.port)")
    }

    @Test("a field that is repeated is sent as often, and one of the client's own is replaced")
    func repeatedFields() async throws {
        let server = try StandInServer { _ in .status(200) }
        let client = client(server.url) { settings in
            settings.headers = ["a", "b"].map { (name: "X-Group", value: $0) } + [(name: "Host", value: "h")]
        }
        _ = try await client.send(HTTPRequest(.GET, "/"))
        #expect(server.requests[0].headers["X-Group"] == ["a", "b"])
        #expect(server.requests[0].headers["Host"] == ["h"])
    }

    @Test("a connection sends small requests at once, and has no option that needs privileges")
    func options() async throws {
        let server = try StandInServer { _ in .status(200) }
        let connector = Connector(tls: TLSClientSettings(), proxy: nil, timeout: .seconds(30))
        let peer = NetworkPeer.network(host: "127.0.0.1", port: UInt16(server.port))
        let channel = try await connector.connect(to: peer, isSecure: false, usesHTTP: true) { _ in }
        #expect(try await channel.getOption(.tcpOption(.tcp_nodelay)).get() == 1)
        // The number of TCP_NODELAY is at the level of sockets that of SO_DEBUG, which needs CAP_NET_ADMIN.
        #expect(try await channel.getOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_DEBUG))).get() == 0)
        #expect(await awaits { server.connections == 1 })
        try await channel.close()
    }

    @Test("connections are used again")
    func reuse() async throws {
        let server = try StandInServer { _ in .status(200) }
        let client = client(server.url)
        for _ in 0..<20 {
            _ = try await client.send(HTTPRequest(.GET, "/"))
        }
        #expect(server.requests.count == 20)
        #expect(server.connections == 1)
    }

    @Test("a connection that the server closed while it was idle costs no error")
    func idleEnd() async throws {
        let server = try StandInServer { _ in .status(200) }
        let client = client(server.url)
        for _ in 0..<20 {
            _ = try await client.send(HTTPRequest(.POST, "/", body: [1]))
            server.closeConnections()
        }
        #expect(server.requests.count == 20)
    }

    @Test("a reused connection that fails before the response is replaced at once; a new one that fails is an error")
    func failingReuse() async throws {
        let count = NIOLockedValueBox(0)
        let server = try StandInServer { _ in
            let number = count.withLockedValue { count in
                count += 1
                return count
            }
            return number == 2 || number >= 4 ? .cut : .status(200)
        }
        let client = client(server.url)
        _ = try await client.send(HTTPRequest(.GET, "/1"))
        _ = try await client.send(HTTPRequest(.GET, "/2"))
        #expect(server.requests.map(\.target) == ["/1", "/2", "/2"])
        await #expect(throws: HTTPClientError.self) { _ = try await client.send(HTTPRequest(.GET, "/3")) }
    }

    @Test("a body is read in pieces, and one that is cut is an error")
    func streamed() async throws {
        let server = try StandInServer { request in
            .chunks(["one ", "two ", "three"], isCut: request.target == "/cut")
        }
        let client = client(server.url)
        let exchange = try await client.open(HTTPRequest(.GET, "/whole"))
        var text = ""
        while let piece = try await exchange.next(timeout: nil) {
            text += String(decoding: piece, as: UTF8.self)
        }
        #expect(text == "one two three")
        #expect(try await exchange.next() == nil)
        let cut = try await client.open(HTTPRequest(.GET, "/cut"))
        await #expect(throws: HTTPClientError.self) {
            while try await cut.next() != nil {}
        }
    }

    @Test("a body beyond its maximum is an error")
    func bounded() async throws {
        let server = try StandInServer { _ in .status(200, body: String(repeating: "x", count: 100_000)) }
        let client = client(server.url)
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await client.send(HTTPRequest(.GET, "/"), maximumBody: 1000)
        }
        #expect(error?.kind == .tooLarge)
    }

    @Test("a server that does not answer is given up in time, and the task that waits can be cancelled")
    func silence() async throws {
        let server = try StandInServer { _ in .silence }
        let client = client(server.url)
        var request = HTTPRequest(.GET, "/")
        request.timeout = .milliseconds(50)
        let error = await #expect(throws: HTTPClientError.self) { _ = try await client.send(request) }
        #expect(error?.kind == .timeout)
        let task = Task { try await client.send(HTTPRequest(.GET, "/")) }
        #expect(await awaits { server.requests.count == 2 })
        task.cancel()
        await #expect(throws: (any Error).self) { _ = try await task.value }
    }

    @Test("a server that sends its response byte by byte is given up in time, but not where the response is a stream")
    func drip() async throws {
        let server = try StandInServer { request in .drip(request.target == "/stream" ? 300 : 5000) }
        let client = client(server.url)
        var request = HTTPRequest(.GET, "/")
        request.timeout = .milliseconds(500)
        let error = await #expect(throws: HTTPClientError.self) { _ = try await client.send(request) }
        #expect(error?.kind == .timeout)
        request.target = "/stream"
        let exchange = try await client.open(request)
        var count = 0
        while let piece = try await exchange.next(timeout: .seconds(30)) {
            count += piece.count
        }
        #expect(count == 300)
    }

    @Test("a server that is not there, or does not speak HTTP, is named in the error")
    func unreachable() async throws {
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await client("http://127.0.0.1:1").send(HTTPRequest(.GET, "/"))
        }
        #expect(error?.kind == .unreachable)
        #expect(error?.description.contains("127.0.0.1:1") == true)
        #expect(error?.description.contains("Connection refused") == true)
    }

    @Test("a connection that the systemd unit forbids is reported with the setting")
    func forbidden() {
        #expect(ConnectionFailure.words(IOError(errnoCode: EPERM, reason: "connect")).contains("IPAddressDeny="))
    }

    @Test(
        "a server of another protocol is told from one whose HTTP is malformed",
        arguments: [
            ([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0x40, 0], "speaks HTTP/2, such as gRPC"),
            ([0x15, 3, 1, 0, 2, 2, 70], "speaks TLS at this port: use https://"),
            (Array("SSH-2.0-x\r\n".utf8), "does not answer in HTTP/1.1"),
        ] as [([UInt8], String)]
    )
    func otherProtocols(greeting: [UInt8], words: String) async throws {
        let server = try StandInStream(greeting: greeting) { .init(taken: $0.count, answer: []) }
        let client = HTTPClient(HTTPEndpoint("http://127.0.0.1:\(server.port)")!)
        let error = await #expect(throws: HTTPClientError.self) { _ = try await client.send(HTTPRequest(.GET, "/")) }
        #expect(error?.kind == .protocolViolation)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test("a bearer token is asked for each request, and a user in the URL becomes basic authorization")
    func authorization() async throws {
        let server = try StandInServer { _ in .status(200) }
        let tokens = NIOLockedValueBox(0)
        let bearer = client(server.url) { settings in
            settings.bearerToken = {
                tokens.withLockedValue { number in
                    number += 1
                    return "token-\(number)"
                }
            }
        }
        _ = try await bearer.send(HTTPRequest(.GET, "/"))
        _ = try await bearer.send(HTTPRequest(.GET, "/"))
        _ = try await client("http://user:p%40ss@127.0.0.1:\(server.port)").send(HTTPRequest(.GET, "/"))
        let fields = server.requests.map { $0.headers.first(name: "Authorization") }
        #expect(fields == ["Bearer token-1", "Bearer token-2", "Basic dXNlcjpwQHNz"])
    }

    @Test("a plain request through a proxy names the whole URL")
    func proxied() async throws {
        let proxy = try StandInServer { request in .status(200, body: request.target) }
        let client = client("http://logs.example:9200/x") { $0.proxy = HTTPEndpoint(proxy.url) }
        let response = try await client.send(HTTPRequest(.GET, "/y"))
        #expect(String(decoding: response.body, as: UTF8.self) == "http://logs.example:9200/x/y")
        #expect(proxy.requests[0].headers.first(name: "Host") == "logs.example:9200")
    }

    @Test("many requests at one time get their own responses")
    func concurrent() async throws {
        let server = try StandInServer { request in .status(200, body: request.target) }
        let client = client(server.url)
        await withTaskGroup(of: Bool.self) { tasks in
            for number in 0..<50 {
                tasks.addTask {
                    let response = try? await client.send(HTTPRequest(.GET, "/\(number)"))
                    return response?.body == Array("/\(number)".utf8)
                }
            }
            for await isOwn in tasks {
                #expect(isOwn)
            }
        }
    }
}

@Suite struct ByteConnectionTests {
    @Test("an answer that does not come in time is reported with the whole of its time limit")
    func late() async throws {
        let server = try StandInStream { .init(taken: $0.count, answer: []) }
        let peer = NetworkPeer.network(host: "127.0.0.1", port: UInt16(server.port))
        let connection = try await ByteConnection.connect(to: peer, ByteConnection.Settings())
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await connection.read(until: .now, of: .seconds(30))
        }
        #expect(error?.kind == .timeout)
        #expect(error?.description == "\(peer) did not answer within 30 s")
    }
}

@Suite(.blocking) struct HTTPEndpointTests {
    @Test(
        "URLs are parsed",
        arguments: [
            ("http://a", "http://a"), ("https://a.b:9200/x/y/", "https://a.b:9200/x/y"),
            ("HTTP://[::1]:80", "http://[::1]"),
            ("https://u:p@h", "https://h"), ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
        ]
    )
    func valid(url: String, shown: String) {
        #expect(HTTPEndpoint(url)?.description == shown)
    }

    @Test(
        "what is no URL of a server is refused",
        arguments: [
            "", "ftp://a", "http://", "http://a:x", "http://a:70000", "http://::1", "http://a/?q", "http://a?q=1",
            "http://a#f", "http://a b",
            "http://[::1",
            "http://a\r\nHost: b", "http://%zz@a",
        ]
    )
    func invalid(url: String) {
        #expect(HTTPEndpoint(url) == nil)
    }
}
