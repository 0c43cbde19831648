// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Closes a connection on which something else than HTTP has come, or a head beyond the limits: nothing can follow. The
/// error is reported unless another response is being sent.
final class MalformedInput: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var isResponding = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch Self.unwrapOutboundIn(data) {
        case .head(let head): isResponding = head.status.code >= 200
        case .body: break
        case .end: isResponding = false
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else {
            return context.fireErrorCaught(error)
        }
        if !isResponding {
            report(error, context)
        }
        context.fireErrorCaught(error)
        context.channel.abort()
    }

    private func report(_ error: any Error, _ context: ChannelHandlerContext) {
        let isTarget = if case HTTPParserError.invalidURL = error { true } else { false }
        let reason =
            isTarget
            ? "the request's target is malformed: percent-encode spaces and what is not ASCII"
            : "the request is malformed, or its head is too large: \(error)"
        guard let (head, body) = Response(APIError.badRequest(reason)).closing else {
            return
        }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
    }
}
