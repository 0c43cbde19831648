import NIOCore

/// Marks the place in a pipeline behind which there are only bytes, so that their end can be waited for.
final class OutputDrain: ChannelOutboundHandler {
    typealias OutboundIn = Any
}

extension Channel {
    /// Waits until all that was written has been handed to the kernel: what has not is lost when the channel is closed.
    func drained() async throws {
        try await eventLoop.flatSubmit {
            do {
                let context = try self.pipeline.syncOperations.context(handlerType: OutputDrain.self)
                let promise = self.eventLoop.makePromise(of: Void.self)
                context.writeAndFlush(NIOAny(ByteBuffer()), promise: promise)
                return promise.futureResult
            } catch {
                return self.eventLoop.makeFailedFuture(error)
            }
        }.get()
    }
}
