// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import SystemIO

typealias HTTPServerChannel = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
typealias ResponseWriter = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>

/// The protocol of a connection.
enum Negotiated: Sendable {
    /// HTTP requests; the future completes when the client has closed the connection, or its half of it.
    case http(HTTPServerChannel, hasLeft: EventLoopFuture<Void>)
    case webSocket(WebSocketChannel, Result<WebSocketSession, APIError>)
}

/// Adds the handlers of one connection to its channel.
struct ServerChannel: Sendable {
    let listener: Listener
    let frameLimit: Int
    let admission: Admission

    /// Few bytes are read ahead from a connection: requests are short, and people type slowly.
    static let readAhead = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
        lowWatermark: 1,
        highWatermark: 4
    )

    /// The decoder counts the target as a header field.
    private static var headLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = APIServer.Limits.requestHead
        limits.maxHeaderFieldSize = APIServer.Limits.requestField
        limits.maxHeaderFieldCount = APIServer.Limits.requestFields
        return limits
    }

    /// Adds the handlers to `channel`, whose other end is the process `peer` of this host, if that is known.
    func configure(_ channel: any Channel, _ peer: PeerCredentials?) throws -> EventLoopFuture<Negotiated> {
        let origin = RequestOrigin(listener: listener, peer: peer, channel: channel, hasLeft: channel.closeFuture)
        let upgrades = UpgradeFilter(admission, origin)
        let pipeline = channel.pipeline.syncOperations
        if case .network(let listener) = listener, let identity = listener.identity {
            try pipeline.addHandler(NIOSSLServerHandler(context: identity.context))
        }
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(
                leftOverBytesStrategy: .forwardBytes,
                informationalResponseStrategy: .drop,
                limitConfiguration: Self.headLimits
            )
        )
        let ordinary: [any RemovableChannelHandler] = [
            decoder, HTTPServerPipelineHandler(), NIOHTTPResponseHeadersValidator(), MalformedInput(), upgrades,
        ]
        // The framing is decided by the header fields that the response is written with.
        var encoding = HTTPResponseEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        let encoder = HTTPResponseEncoder(configuration: encoding)
        let upgrade = NIOTypedHTTPServerUpgradeHandler<Negotiated>(
            httpEncoder: encoder,
            extraHTTPHandlers: ordinary,
            upgradeConfiguration: .init(
                upgraders: [upgrader(upgrades.accepted)],
                notUpgradingCompletionHandler: Self.serveHTTP
            )
        )
        try pipeline.addHandler(OutputDrain())
        try pipeline.addHandler(encoder)
        try pipeline.addHandlers(ordinary)
        try pipeline.addHandler(upgrade)
        return upgrade.upgradeResultFuture
    }

    private static func serveHTTP(_ channel: any Channel) -> EventLoopFuture<Negotiated> {
        channel.eventLoop.makeCompletedFuture {
            let departure = ClientDeparture(channel)
            try channel.pipeline.syncOperations.addHandlers([departure, ResponseBodyHandler()])
            let http = try HTTPServerChannel(
                wrappingChannelSynchronously: channel,
                configuration: .init(backPressureStrategy: readAhead, isOutboundHalfClosureEnabled: false)
            )
            return .http(http, hasLeft: departure.future)
        }
    }

    /// Refusals are sent as a close frame, because browsers hide the body of an HTTP response to a handshake.
    private func upgrader(_ accepted: AcceptedUpgrade) -> NIOTypedWebSocketServerUpgrader<Negotiated> {
        let pieceSize = frameLimit
        return NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: frameLimit,
            shouldUpgrade: { channel, _ in
                let headers = accepted.withLockedValue { try? $0?.get().headers }
                return channel.eventLoop.makeSucceededFuture(headers ?? HTTPHeaders())
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let decoder = try pipeline.context(handlerType: ByteToMessageHandler<WebSocketFrameDecoder>.self)
                    let divider = WebSocketFrameDivider(pieceSize: pieceSize, limit: APIServer.Limits.largestFrame)
                    try pipeline.addHandler(divider, position: .before(decoder.handler))
                    let configuration = WebSocketChannel.Configuration(backPressureStrategy: Self.readAhead)
                    let webSocket = try WebSocketChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: configuration
                    )
                    let session = accepted.withLockedValue { $0 } ?? .failure(.badRequest("this is not a WebSocket"))
                    return .webSocket(webSocket, session)
                }
            }
        )
    }
}

/// Lets the async side write `ByteBuffer`s.
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
