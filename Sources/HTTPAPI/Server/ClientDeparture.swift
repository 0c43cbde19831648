// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Detects that a client has closed its connection, or its own half of it.
///
/// Over TCP the two are indistinguishable: a client that shuts down its half may still read, one that has closed does
/// not. So only a response that ends by itself, and that a closed connection would interrupt, continues after this.
final class ClientDeparture: ChannelInboundHandler {
    typealias InboundIn = Any

    private let promise: EventLoopPromise<Void>

    init(_ channel: any Channel) {
        promise = channel.eventLoop.makePromise()
        channel.closeFuture.cascade(to: promise)
    }

    /// Completes at the end of the client's input, or of the connection.
    var future: EventLoopFuture<Void> { promise.futureResult }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            promise.succeed(())
        }
        context.fireUserInboundEventTriggered(event)
    }
}
