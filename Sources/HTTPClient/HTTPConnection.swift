// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// One connection to a server, with one request at a time.
///
/// The state belongs to the connection's event loop. Parts of a response are read from the socket when they are asked
/// for. While the connection is idle it waits for the server's end.
final class HTTPConnection: ChannelInboundHandler, @unchecked Sendable {
    // Sendable because everything that changes is used on the event loop only, but for `timeout` and `channel`, which
    // are set before the first request and by the task of the request.

    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    let endpoint: String
    private let installed = NIOLockedValueBox<(any Channel)?>(nil)
    private let requestTimeout = NIOLockedValueBox(Duration.seconds(30))

    private var isBusy = false
    private var parts: CircularBuffer<HTTPClientResponsePart> = []
    private var waiting: EventLoopPromise<HTTPClientResponsePart>?
    private var failure: HTTPClientError?

    init(_ endpoint: String) {
        self.endpoint = endpoint
    }

    /// Adds the handlers of HTTP to `channel`, on its event loop.
    func install(in channel: any Channel) throws {
        installed.withLockedValue { $0 = channel }
        try channel.pipeline.syncOperations.addHandler(ForeignProtocolDetector(endpoint))
        try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
        try channel.pipeline.syncOperations.addHandler(self)
    }

    /// The time limit of the present request.
    var timeout: Duration { requestTimeout.withLockedValue { $0 } }

    private var channel: any Channel {
        get throws {
            guard let channel = installed.withLockedValue({ $0 }) else {
                throw HTTPClientError(.closed, "\(endpoint): not connected")
            }
            return channel
        }
    }

    /// Sends a request; returns the response's head.
    func begin(_ head: HTTPRequestHead, _ body: [UInt8], timeout: Duration) async throws -> HTTPResponseHead {
        requestTimeout.withLockedValue { $0 = timeout }
        let channel = try channel
        let first = channel.eventLoop.flatSubmit { self.send(head, body, timeout, on: channel) }
        guard case .head(let response) = try await first.get() else {
            close()
            throw HTTPClientError(.protocolViolation, "\(endpoint): the response has no head")
        }
        return response
    }

    /// The next part of the response.
    func next(timeout: Duration?) async throws -> HTTPClientResponsePart {
        let channel = try channel
        return try await channel.eventLoop.flatSubmit { self.receive(within: timeout, on: channel) }.get()
    }

    func close() {
        installed.withLockedValue { $0 }?.close(promise: nil)
    }

    /// Calls `body` when the connection is closed, or at once when it is.
    func whenClosed(_ body: @escaping @Sendable () -> Void) {
        installed.withLockedValue { $0 }?.closeFuture.whenComplete { _ in body() }
    }

    // MARK: - On the event loop

    private func send(
        _ head: HTTPRequestHead,
        _ body: [UInt8],
        _ timeout: Duration,
        on channel: any Channel
    ) -> EventLoopFuture<HTTPClientResponsePart> {
        guard failure == nil, channel.isActive else {
            return channel.eventLoop.makeFailedFuture(failure ?? Self.closed(endpoint))
        }
        isBusy = true
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        // A failed write is reported as the end of the connection.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return receive(within: timeout, on: channel)
    }

    private func receive(within limit: Duration?, on channel: any Channel) -> EventLoopFuture<HTTPClientResponsePart> {
        if let part = parts.popFirst() {
            finish(part, on: channel)
            return channel.eventLoop.makeSucceededFuture(part)
        }
        if let failure {
            return channel.eventLoop.makeFailedFuture(failure)
        }
        let promise = channel.eventLoop.makePromise(of: HTTPClientResponsePart.self)
        waiting = promise
        channel.read()
        guard let limit else {
            return promise.futureResult
        }
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) {
            let words = "\(self.endpoint) did not answer within \(limit.components.seconds) s"
            self.fail(HTTPClientError(.timeout, words + ConnectionFailure.hint(onTimeoutOf: channel)))
            channel.close(promise: nil)
        }
        return promise.futureResult.always { _ in timer.cancel() }
    }

    /// After the end of a response the connection is idle: only the server's end is awaited.
    private func finish(_ part: HTTPClientResponsePart, on channel: any Channel) {
        if case .end = part {
            isBusy = false
            channel.read()
        }
    }

    private func fail(_ error: HTTPClientError) {
        failure = failure ?? error
        let promise = waiting
        waiting = nil
        promise?.fail(error)
    }

    private static func closed(_ endpoint: String) -> HTTPClientError {
        HTTPClientError(.closed, "\(endpoint) closed the connection")
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard isBusy else {
            fail(HTTPClientError(.protocolViolation, "\(endpoint) sent a response without a request"))
            return context.close(promise: nil)
        }
        if let promise = waiting {
            waiting = nil
            finish(part, on: context.channel)
            promise.succeed(part)
        } else {
            parts.append(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if waiting != nil || !isBusy {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(Self.closed(endpoint))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ConnectionFailure.error(error, of: endpoint, on: context.channel))
        context.close(promise: nil)
    }
}
