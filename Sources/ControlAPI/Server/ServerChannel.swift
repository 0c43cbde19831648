import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

typealias HTTPServerChannel = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
typealias ResponseWriter = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>

/// What a connection has turned out to be.
enum Negotiated: Sendable {
    case http(HTTPServerChannel)
    case console(WebSocketChannel, Result<ConsoleVisit, APIError>)
}

/// Puts the handlers of one connection into its channel.
struct ServerChannel: Sendable {
    let door: Door
    /// Bytes of one WebSocket frame.
    let frameLimit: Int
    /// Says who comes with a request for an upgrade and where they want to go, or why they may not.
    let visit: @Sendable (HTTPRequestHead, any Channel) -> Result<ConsoleVisit, APIError>

    func configure(_ channel: any Channel) throws -> EventLoopFuture<Negotiated> {
        if case .network(let door) = door, let identity = door.identity {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: identity.context))
        }
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: frameLimit,
            // Who may not is told why in a frame, which browsers show: of an answer of HTTP they say nothing.
            shouldUpgrade: { channel, head in
                // What has a body, or asks for something to be done, is no opening handshake (RFC 6455, section 4.1).
                let hasBody =
                    head.headers.contains(name: "Transfer-Encoding")
                    || head.headers.first(name: "Content-Length").map { $0 != "0" } ?? false
                guard head.method == .GET, !hasBody else {
                    return channel.eventLoop.makeSucceededFuture(nil)
                }
                let headers = try? visit(head, channel).get().upgradeHeaders
                return channel.eventLoop.makeSucceededFuture(headers ?? HTTPHeaders())
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    .console(try WebSocketChannel(wrappingChannelSynchronously: channel), visit(head, channel))
                }
            }
        )
        let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Negotiated>(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ResponseBodyHandler())
                    return .http(try HTTPServerChannel(wrappingChannelSynchronously: channel))
                }
            }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: upgrade)
        )
    }
}

/// Lets the async side write plain buffers.
private final class ResponseBodyHandler: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPServerResponsePart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
