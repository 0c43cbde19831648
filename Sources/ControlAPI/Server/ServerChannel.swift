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
    case console(WebSocketChannel, ConsoleVisit)
}

/// Puts the handlers of one connection into its channel.
struct ServerChannel: Sendable {
    let door: Door
    /// Bytes of one WebSocket frame.
    let frameLimit: Int
    /// Says who comes with a request for an upgrade and where they want to go; nil: it is answered as any other.
    let visit: @Sendable (HTTPRequestHead, any Channel) -> ConsoleVisit?

    func configure(_ channel: any Channel) throws -> EventLoopFuture<Negotiated> {
        if case .network(let door) = door, let identity = door.identity {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: identity.context))
        }
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: frameLimit,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(visit(head, channel).map(\.upgradeHeaders))
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let visit = visit(head, channel) else {
                        throw ChannelError.eof
                    }
                    return .console(try WebSocketChannel(wrappingChannelSynchronously: channel), visit)
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
