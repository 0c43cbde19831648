// SPDX-License-Identifier: Apache-2.0

import Gzip
import NIOConcurrencyHelpers
import NIOCore
public import NIOHTTP1
import NIOPosix
public import NIOSSL

/// A receiver that speaks HTTP, whose answers a test determines.
public final class StandInServer: Sendable {
    /// A request, its body decompressed.
    public struct Request: Sendable {
        public var target: String
        public var headers: HTTPHeaders
        public var body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public enum Answer: Sendable {
        case status(Int, body: String = "", headers: [(String, String)] = [])
        /// A body that is not text.
        case bytes([UInt8], headers: [(String, String)] = [])
        /// A body in chunks, each sent when the one before was written; then its end, or the end of the connection.
        case chunks([String], isCut: Bool)
        /// A body of so many bytes, of which one is sent every few milliseconds.
        case drip(Int)
        /// The connection is closed without an answer.
        case cut
        /// There is never an answer.
        case silence
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let received: NIOLockedValueBox<[Request]>
    private let accepted: NIOLockedValueBox<Int>
    private let open = NIOLockedValueBox<[any Channel]>([])

    /// A server at a port of the loopback, `port` or one that is free, that answers with what `receive` returns; with `tls`
    /// over TLS.
    public init(port: Int = 0, tls: NIOSSLContext? = nil, _ receive: @escaping @Sendable (Request) -> Answer) throws {
        let (received, accepted) = (NIOLockedValueBox<[Request]>([]), NIOLockedValueBox(0))
        (self.received, self.accepted) = (received, accepted)
        let open = open
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                accepted.withLockedValue { $0 += 1 }
                open.withLockedValue { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { request in
                            received.withLockedValue { $0.append(request) }
                            return receive(request)
                        }
                    )
                }
            }
            .bind(host: "127.0.0.1", port: port).wait()
    }

    deinit {
        try? channel.close().wait()
        group.shutdownGracefully { _ in }
    }

    /// The port at which it listens.
    public var port: Int { channel.localAddress?.port ?? 0 }
    public var url: String { "http://127.0.0.1:\(port)" }
    /// Closes the connections that are open now.
    public func closeConnections() {
        open.withLockedValue { $0 }.forEach { $0.close(promise: nil) }
    }

    /// The requests so far.
    public var requests: [Request] { received.withLockedValue { $0 } }
    /// The number of connections so far.
    public var connections: Int { accepted.withLockedValue { $0 } }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let receive: @Sendable (Request) -> Answer
        private var request: Request?

        init(_ receive: @escaping @Sendable (Request) -> Answer) {
            self.receive = receive
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                request = Request(target: head.uri, headers: head.headers, body: [])
            case .body(let buffer):
                request?.body += buffer.readableBytesView
            case .end:
                guard var request else {
                    return
                }
                if request.headers.first(name: "Content-Encoding") == "gzip" {
                    request.body = (try? Gzip.decompress(request.body, limit: 64 << 20)) ?? []
                }
                answer(receive(request), context)
            }
        }

        private func answer(_ answer: Answer, _ context: ChannelHandlerContext) {
            switch answer {
            case .cut: context.close(promise: nil)
            case .silence: break
            case .bytes(let bytes, let headers): write(200, bytes, headers, context)
            case .drip(let count): drip(count, context)
            case .chunks(let chunks, let isCut): write(chunks, isCut: isCut, context)
            case .status(let status, let body, let headers): write(status, Array(body.utf8), headers, context)
            }
        }

        private func write(
            _ status: Int,
            _ body: [UInt8],
            _ headers: [(String, String)],
            _ context: ChannelHandlerContext
        ) {
            var fields = HTTPHeaders(headers)
            fields.add(name: "Content-Length", value: String(body.count))
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        private func drip(_ count: Int, _ context: ChannelHandlerContext) {
            let headers: HTTPHeaders = ["Content-Length": String(count)]
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            let channel = context.channel
            let left = NIOLockedValueBox(count)
            context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { task in
                let isLast = left.withLockedValue { left in
                    left -= 1
                    return left <= 0
                }
                if isLast || !channel.isActive {
                    task.cancel()
                }
                channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: "x"))), promise: nil)
                if isLast {
                    channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
                }
            }
        }

        private func write(_ chunks: [String], isCut: Bool, _ context: ChannelHandlerContext) {
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Transfer-Encoding": "chunked"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            for chunk in chunks {
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: chunk)))), promise: nil)
            }
            if isCut {
                context.close(promise: nil)
            } else {
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
