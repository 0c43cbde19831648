// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A receiver of a byte stream, whose answers a test determines.
public final class StandInStream: Sendable {
    /// What became of the bytes that have arrived.
    public struct Reply: Sendable {
        /// The number of bytes that were used; the others are offered again with the next.
        public var taken: Int
        /// What is sent back; nil: the connection is closed.
        public var answer: [UInt8]?

        public init(taken: Int, answer: [UInt8]?) {
            self.taken = taken
            self.answer = answer
        }
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let accepted: NIOLockedValueBox<Int>

    /// A server at a free port of the loopback, that begins with `greeting`.
    public init(greeting: [UInt8] = [], _ receive: @escaping @Sendable ([UInt8]) -> Reply) throws {
        let accepted = NIOLockedValueBox(0)
        self.accepted = accepted
        channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                accepted.withLockedValue { $0 += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(greeting, receive))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit {
        try? channel.close().wait()
        group.shutdownGracefully { _ in }
    }

    /// The port at which it listens.
    public var port: Int { channel.localAddress?.port ?? 0 }
    /// The number of connections so far.
    public var connections: Int { accepted.withLockedValue { $0 } }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let greeting: [UInt8]
        private let receive: @Sendable ([UInt8]) -> Reply
        private var received: [UInt8] = []

        init(_ greeting: [UInt8], _ receive: @escaping @Sendable ([UInt8]) -> Reply) {
            self.greeting = greeting
            self.receive = receive
        }

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: greeting)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += unwrapInboundIn(data).readableBytesView
            let reply = receive(received)
            received.removeFirst(reply.taken)
            guard let answer = reply.answer else {
                return context.close(promise: nil)
            }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
