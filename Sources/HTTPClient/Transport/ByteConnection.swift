// SPDX-License-Identifier: Apache-2.0

import CLinux
import NIOConcurrencyHelpers
import NIOCore

/// A connection that carries bytes, for protocols other than HTTP. Used by one task at a time.
public final class ByteConnection: Sendable {
    private let channel: any Channel
    private let handler: ByteHandler
    private let peer: NetworkPeer
    private let end = NIOLockedValueBox<ContinuousClock.Instant?>(nil)

    /// Opens connections to one peer.
    public struct Settings: Sendable {
        /// TLS; nil: none.
        public var tls: TLSClientSettings?
        /// The time limit for connecting.
        public var connectTimeout = Duration.seconds(10)

        public init() {}
    }

    private init(_ channel: any Channel, _ handler: ByteHandler, _ peer: NetworkPeer) {
        self.channel = channel
        self.handler = handler
        self.peer = peer
        channel.closeFuture.whenComplete { [end] _ in end.withLockedValue { $0 = .now } }
    }

    /// Connects to `peer`. Throws `HTTPClientError`.
    public static func connect(to peer: NetworkPeer, _ settings: Settings) async throws -> ByteConnection {
        let connector = Connector(
            tls: settings.tls ?? TLSClientSettings(),
            proxy: nil,
            timeout: settings.connectTimeout
        )
        let handler = ByteHandler("\(peer)")
        let channel = try await connector.connect(to: peer, isSecure: settings.tls != nil, usesHTTP: false) { channel in
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        return ByteConnection(channel, handler, peer)
    }

    deinit {
        close()
    }

    /// Whether the peer has not closed the connection.
    public var isOpen: Bool { channel.isActive }

    /// When the connection was closed; nil while it is open.
    public var closed: ContinuousClock.Instant? { end.withLockedValue { $0 } }

    /// Why the connection is closed, when the peer or an error has closed it.
    public var reason: HTTPClientError { handler.failure ?? HTTPClientError(.closed, "\(peer) closed the connection") }

    /// Waits for `time`, or until the connection is closed; returns whether it is open then.
    public func staysOpen(for time: Duration) async -> Bool {
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(time)) {}
        channel.closeFuture.whenComplete { _ in timer.cancel() }
        return await withTaskCancellationHandler {
            (try? await timer.futureResult.get()) != nil && channel.isActive
        } onCancel: {
            timer.cancel()
        }
    }

    /// Writes `bytes`; returns when the kernel has taken all of them. Throws when that takes longer than `limit`.
    public func write(_ bytes: [UInt8], within limit: Duration) async throws {
        let channel = channel
        try await timed(limit, of: limit, "did not take data") {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        }
    }

    /// The next bytes that the peer sends; nil when it has closed the connection. Throws when none come within `limit`.
    public func read(within limit: Duration?) async throws -> [UInt8]? {
        let (channel, handler) = (channel, handler)
        guard let limit else {
            return try await channel.eventLoop.flatSubmit { handler.receive(on: channel) }.get()
        }
        return try await read(until: .now + limit, of: limit)
    }

    /// The same, until `end`: the end of `limit`, in which all of an answer has to come.
    public func read(until end: ContinuousClock.Instant, of limit: Duration) async throws -> [UInt8]? {
        let (channel, handler) = (channel, handler)
        return try await timed(max(.zero, ContinuousClock.now.duration(to: end)), of: limit, "did not answer") {
            try await channel.eventLoop.flatSubmit { handler.receive(on: channel) }.get()
        }
    }

    /// Waits until the peer's kernel has acknowledged everything that was written (tcp(7), SIOCOUTQ), at most `limit`.
    /// Without TCP there is nothing to wait for.
    public func drain(within limit: Duration) async throws {
        let (channel, peer, handler) = (channel, peer, handler)
        guard case .network = peer else {
            return
        }
        let end = ContinuousClock.now + limit
        var pause = Duration.microseconds(50)
        while true {
            let left = try await channel.eventLoop.submit { () throws -> Int32 in
                guard channel.isActive else {
                    throw handler.failure ?? HTTPClientError(.closed, "\(peer) closed the connection")
                }
                return try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable { (socket: Int32) in
                    gl_bytes_unacknowledged(socket)
                } ?? 0
            }.get()
            if left <= 0 {
                return
            }
            guard ContinuousClock.now < end else {
                throw HTTPClientError(.timeout, "\(peer) has not acknowledged \(left) bytes")
            }
            // The kernel has no event for it.
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(20))
        }
    }

    public func close() {
        channel.close(promise: nil)
    }

    /// Throws when `body` takes longer than `rest`, which is what is left of `limit`.
    private func timed<Result: Sendable>(
        _ rest: Duration,
        of limit: Duration,
        _ failure: String,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let (channel, peer, handler) = (channel, peer, handler)
        let isLate = NIOLockedValueBox(false)
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(rest)) {
            isLate.withLockedValue { $0 = true }
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        do {
            let result = try await withTaskCancellationHandler {
                try await body()
            } onCancel: {
                channel.close(promise: nil)
            }
            // A read ends without an error when the timer closes the connection.
            guard !isLate.withLockedValue({ $0 }) else {
                throw ChannelError.alreadyClosed
            }
            return result
        } catch {
            if isLate.withLockedValue({ $0 }) {
                let hint = try await channel.eventLoop.submit { ConnectionFailure.hint(onTimeoutOf: channel) }.get()
                throw HTTPClientError(
                    .timeout,
                    "\(peer) \(failure) within \(limit.components.seconds) s\(hint)"
                )
            }
            if let error = error as? HTTPClientError {
                throw error
            }
            // What ended the connection says more than the failure of what was written to it.
            let cause = try await channel.eventLoop.submit { handler.failure }.get()
            throw cause ?? HTTPClientError(.closed, "\(peer): \(ConnectionFailure.words(error))")
        }
    }
}

/// The end of a `ByteConnection`'s pipeline: reads when it is asked for.
private final class ByteHandler: ChannelInboundHandler, @unchecked Sendable {
    // Sendable because it is used on the channel's event loop only, but for `failure`.

    typealias InboundIn = ByteBuffer

    private let peer: String
    private var received: [UInt8] = []
    private var waiting: EventLoopPromise<[UInt8]?>?
    private var hasEnded = false
    private let caught = NIOLockedValueBox<HTTPClientError?>(nil)

    /// The error that ended the connection. From any thread.
    var failure: HTTPClientError? { caught.withLockedValue { $0 } }

    init(_ peer: String) {
        self.peer = peer
    }

    func receive(on channel: any Channel) -> EventLoopFuture<[UInt8]?> {
        if !received.isEmpty {
            defer { received = [] }
            return channel.eventLoop.makeSucceededFuture(received)
        }
        if let failure {
            return channel.eventLoop.makeFailedFuture(failure)
        }
        guard !hasEnded else {
            return channel.eventLoop.makeSucceededFuture(nil)
        }
        let promise = channel.eventLoop.makePromise(of: [UInt8]?.self)
        waiting = promise
        channel.read()
        return promise.futureResult
    }

    func channelActive(context: ChannelHandlerContext) {
        // The peer's end is noticed, and so is what it sends unasked.
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        if let promise = waiting {
            waiting = nil
            defer { received = [] }
            promise.succeed(received)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if waiting != nil {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasEnded = true
        let promise = waiting
        waiting = nil
        promise?.succeed(nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let failure = self.failure ?? ConnectionFailure.error(error, of: peer, on: context.channel)
        caught.withLockedValue { $0 = failure }
        let promise = waiting
        waiting = nil
        promise?.fail(failure)
        context.close(promise: nil)
    }
}
