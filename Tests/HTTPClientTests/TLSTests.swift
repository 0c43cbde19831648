// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SystemIO
import TestServers
import TestSupport
import Testing

@testable import HTTPClient

@Suite struct TLSTests {
    private static func context(isAddress: Bool = false, verifiesClients: Bool = false) throws -> NIOSSLContext {
        let chain = isAddress ? TestCertificates.address : TestCertificates.server
        let key = isAddress ? TestCertificates.addressKey : TestCertificates.serverKey
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(chain.utf8)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
        )
        if verifiesClients {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.authority.utf8))
            )
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func expired() throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.expired.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificates.expiredKey.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
        )
    }

    @Test("a failed handshake is told with its cause and what to do, over HTTP and without it")
    func causes() async throws {
        var own = TLSClientSettings()
        own.authorities = .text(TestCertificates.authority)
        var named = own
        named.serverName = "other.example"
        var expired = TLSClientSettings()
        expired.authorities = .text(TestCertificates.expired)
        let cases = [
            (try Self.context(), TLSClientSettings(), "not signed by a trusted CA: set ca"),
            (try Self.context(), named, "for another name"),
            (try Self.expired(), expired, "expired on 2021-01-01T00:00:00"),
        ]
        for (context, tls, words) in cases {
            let server = try StandInServer(tls: context) { _ in .status(200) }
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await get("https://localhost:\(server.port)", tls)
            }
            #expect(error?.kind == .tls && error?.description.contains(words) == true, "\(error?.description ?? "")")
            let other = await #expect(throws: HTTPClientError.self) {
                var settings = ByteConnection.Settings()
                settings.tls = tls
                let peer = NetworkPeer.network(host: "localhost", port: UInt16(server.port))
                let connection = try await ByteConnection.connect(to: peer, settings)
                try await connection.write(Array("hello".utf8), within: .seconds(30))
                _ = try await connection.read(within: .seconds(30))
            }
            #expect(other?.description.contains(words) == true, "\(other?.description ?? "")")
        }
    }

    @Test(
        "a server without TLS is told from one whose certificate is wrong, and an absent file from one that is no PEM"
    )
    func wrongPortAndFile() async throws {
        let server = try StandInServer { _ in .status(200) }
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await get("https://localhost:\(server.port)", TLSClientSettings())
        }
        #expect(error?.description.contains("TLS") == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("BoringSSL") == false)
        let folder = TemporaryFolder()
        try LinuxFileSystem().replace("ca.pem", in: folder.path, with: Array("no certificate".utf8))
        for (name, words) in [("none.pem", "No such file or directory"), ("ca.pem", "no PEM certificate")] {
            var tls = TLSClientSettings()
            tls.authorities = .file(folder.path + "/" + name)
            let error = #expect(throws: HTTPClientError.self) { _ = try TLSClientContexts(tls).context() }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    private func get(_ url: String, _ tls: TLSClientSettings) async throws -> HTTPResponse {
        var settings = HTTPClient.Settings()
        settings.tls = tls
        return try await HTTPClient(HTTPEndpoint(url)!, settings).send(HTTPRequest(.GET, "/"))
    }

    @Test("a server whose certificate the given CA has signed is trusted, by name and by address")
    func trusted() async throws {
        var tls = TLSClientSettings()
        tls.authorities = .text(TestCertificates.authority)
        for host in ["localhost", "127.0.0.1"] {
            let context = try Self.context(isAddress: host != "localhost")
            let server = try StandInServer(tls: context) { _ in .status(200, body: "hello") }
            let response = try await get("https://\(host):\(server.port)", tls)
            #expect(response.body == Array("hello".utf8))
        }
    }

    @Test("a server that the system's CAs do not know, or of another name, is refused")
    func untrusted() async throws {
        let server = try StandInServer(tls: Self.context()) { _ in .status(200) }
        var named = TLSClientSettings()
        named.authorities = .text(TestCertificates.authority)
        named.serverName = "other.example"
        for tls in [TLSClientSettings(), named] {
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await get("https://localhost:\(server.port)", tls)
            }
            #expect(error?.kind == .tls, "\(error?.description ?? "")")
        }
        #expect(server.requests.isEmpty)
    }

    @Test("a client shows its certificate, from files that are read again when they change")
    func clientCertificate() async throws {
        let folder = TemporaryFolder()
        func write(_ text: String, _ name: String) throws {
            try LinuxFileSystem().replace(name, in: folder.path, with: Array(text.utf8))
        }
        try write(TestCertificates.client, "cert.pem")
        try write(TestCertificates.clientKey, "key.pem")
        let server = try StandInServer(tls: Self.context(verifiesClients: true)) { _ in .status(200) }
        var tls = TLSClientSettings()
        tls.authorities = .text(TestCertificates.authority)
        await #expect(throws: HTTPClientError.self) { _ = try await get("https://localhost:\(server.port)", tls) }
        tls.certificate = .file(folder.path + "/cert.pem")
        tls.key = .file(folder.path + "/key.pem")
        #expect(try await get("https://localhost:\(server.port)", tls).status == 200)
        let contexts = TLSClientContexts(tls)
        let first = try contexts.context()
        #expect(try contexts.context() === first)
        try write(TestCertificates.client + "\n", "cert.pem")
        #expect(try contexts.context() !== first)
        try write("no certificate", "cert.pem")
        #expect(throws: HTTPClientError.self) { _ = try contexts.context() }
    }

    @Test("through a proxy, CONNECT reaches a server over TLS; a proxy that refuses is named with its answer")
    func tunnel() async throws {
        let server = try StandInServer(tls: Self.context()) { _ in .status(200, body: "through") }
        let port = server.port
        let proxy = try TunnelProxy { target in target == "localhost:\(port)" ? port : nil }
        var settings = HTTPClient.Settings()
        settings.tls.authorities = .text(TestCertificates.authority)
        settings.proxy = HTTPEndpoint("http://user:pw@127.0.0.1:\(proxy.port)")
        let client = HTTPClient(HTTPEndpoint("https://localhost:\(port)")!, settings)
        #expect(try await client.send(HTTPRequest(.GET, "/")).body == Array("through".utf8))
        #expect(proxy.heads.first?.contains("Proxy-Authorization: Basic dXNlcjpwdw==") == true)
        let refused = HTTPClient(HTTPEndpoint("https://other.example")!, settings)
        let error = await #expect(throws: HTTPClientError.self) { _ = try await refused.send(HTTPRequest(.GET, "/")) }
        #expect(error?.description.contains("403 Forbidden") == true, "\(error?.description ?? "")")
    }

    @Test("a proxy that requires a user and a password is told with what to do")
    func proxyUser() async throws {
        let proxy = try StandInServer { _ in .status(407) }
        for (url, words) in [
            (proxy.url, "name it as http://USER:PASSWORD@HOST:PORT"),
            ("http://u:p@127.0.0.1:\(proxy.port)", "check the user and the password"),
        ] {
            var settings = HTTPClient.Settings()
            settings.proxy = HTTPEndpoint(url)
            let client = HTTPClient(HTTPEndpoint("https://other.example")!, settings)
            let error = await #expect(throws: HTTPClientError.self) {
                _ = try await client.send(HTTPRequest(.GET, "/"))
            }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    @Test("a key that is not that of the certificate is told with both files")
    func otherKey() throws {
        let folder = TemporaryFolder()
        try LinuxFileSystem().replace("c.pem", in: folder.path, with: Array(TestCertificates.client.utf8))
        try LinuxFileSystem().replace("k.pem", in: folder.path, with: Array(TestCertificates.serverKey.utf8))
        var tls = TLSClientSettings()
        tls.certificate = .file(folder.path + "/c.pem")
        tls.key = .file(folder.path + "/k.pem")
        let error = #expect(throws: HTTPClientError.self) { _ = try TLSClientContexts(tls).context() }
        for words in ["key in \(folder.path)/k.pem is not that of", "certificate in \(folder.path)/c.pem"] {
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }
}

/// A proxy that connects to a port of the loopback.
private final class TunnelProxy: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let received: NIOLockedValueBox<[String]>

    /// `port` returns the port for the target of a request; nil: it is refused.
    init(_ port: @escaping @Sendable (String) -> Int?) throws {
        let received = NIOLockedValueBox<[String]>([])
        self.received = received
        channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(received, port))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit {
        try? channel.close().wait()
        group.shutdownGracefully { _ in }
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    var heads: [String] { received.withLockedValue { $0 } }

    private final class Handler: ChannelInboundHandler, @unchecked Sendable {
        // Sendable because it is used on the channel's event loop only.
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let received: NIOLockedValueBox<[String]>
        private let target: @Sendable (String) -> Int?
        private var head = ""
        private var other: (any Channel)?

        init(_ received: NIOLockedValueBox<[String]>, _ target: @escaping @Sendable (String) -> Int?) {
            self.received = received
            self.target = target
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            if let other {
                return other.writeAndFlush(buffer, promise: nil)
            }
            head += String(buffer: buffer)
            guard head.hasSuffix("\r\n\r\n") else {
                return
            }
            received.withLockedValue { $0.append(head) }
            let words = head.split(separator: " ")
            guard words.count > 1, let port = target(String(words[1])) else {
                context.writeAndFlush(
                    wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
                    promise: nil
                )
                return context.close(promise: nil)
            }
            let client = context.channel
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(client))
                    }
                }
                .connect(host: "127.0.0.1", port: port).whenSuccess { channel in
                    self.other = channel
                    client.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), promise: nil)
                }
        }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let client: any Channel

        init(_ client: any Channel) {
            self.client = client
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            client.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }
    }
}
