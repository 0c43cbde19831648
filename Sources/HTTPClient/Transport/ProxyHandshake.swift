// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Asks an HTTP proxy for a connection (CONNECT: RFC 9110, section 9.3.6), and gives way to the protocol's handlers.
final class ProxyHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the proxy is asked for.
    struct Request: Sendable {
        let text: String
        /// What to do when the proxy requires a user and a password.
        let remedy: String

        init(_ peer: NetworkPeer, _ authorization: String?) {
            remedy =
                authorization == nil
                ? "; it requires a user and a password: name it as http://USER:PASSWORD@HOST:PORT"
                : "; check the user and the password for it"
            let field = authorization.map { "Proxy-Authorization: \($0)\r\n" } ?? ""
            text = "CONNECT \(peer) HTTP/1.1\r\nHost: \(peer)\r\n\(field)\r\n"
        }
    }

    private let request: Request
    private let start: @Sendable (any Channel) throws -> Void
    private let promise: EventLoopPromise<Void>
    private var received: [UInt8] = []

    /// Maximum size of the proxy's answer.
    private static let longestResponse = 16 << 10

    init(
        _ request: Request,
        start: @escaping @Sendable (any Channel) throws -> Void,
        on eventLoop: any EventLoop
    ) {
        self.request = request
        self.start = start
        promise = eventLoop.makePromise()
    }

    /// Succeeds when the proxy has connected and the protocol's handlers are there.
    var result: EventLoopFuture<Void> { promise.futureResult }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request.text)), promise: nil)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        guard let end = Self.end(of: received) else {
            if received.count > Self.longestResponse {
                fail("its answer is too long", context)
            }
            return
        }
        let status = received.prefix(end).split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first ?? []
        guard status.elementsEqual("200".utf8), end == received.count else {
            let line = received.prefix { $0 != 0x0d && $0 != 0x0a }.prefix(200)
            let remedy = status.elementsEqual("407".utf8) ? request.remedy : ""
            return fail("it answered \(String(decoding: line, as: UTF8.self))\(remedy)", context)
        }
        do {
            try start(context.channel)
        } catch {
            return fail("\(error)", context)
        }
        let (promise, channel) = (promise, context.channel)
        context.pipeline.syncOperations.removeHandler(context: context).whenSuccess {
            channel.pipeline.fireChannelActive()
            promise.succeed()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("it closed the connection", context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ConnectionFailure.words(error), context)
    }

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        promise.fail(HTTPClientError(.unreachable, "the proxy did not connect: \(reason)"))
        context.close(promise: nil)
    }

    /// The end of the head in `bytes`, after its empty line.
    private static func end(of bytes: [UInt8]) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        return bytes.indices.first { bytes[$0...].starts(with: mark) }.map { $0 + mark.count }
    }
}
