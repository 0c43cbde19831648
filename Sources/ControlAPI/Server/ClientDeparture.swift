import NIOCore

/// Tells when the client of a connection has closed it, or its own half of it.
///
/// Over TCP the two look alike: a client that shuts its half down may still read, one that is gone does not. So only an
/// answer that ends by itself, and that a closed connection would interrupt, goes on after this.
final class ClientDeparture: ChannelInboundHandler {
    typealias InboundIn = Any

    private let promise: EventLoopPromise<Void>

    /// The departure of the client of `channel`.
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
