// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Marks the pipeline position after which there are only bytes, so that the end of output can be awaited.
final class OutputDrain: ChannelOutboundHandler {
    typealias OutboundIn = Any
}

extension Channel {
    /// Waits until all output was passed to the kernel: the rest would be lost when the channel is closed.
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
