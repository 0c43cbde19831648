// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// Console sessions.
extension APIClient {
    private enum Upgraded: Sendable {
        case webSocket(WebSocketChannel)
        case refused
    }

    /// How a session on a console ended.
    public enum ConsoleEnd: Hashable, Sendable {
        /// `input` ended. When the target is `strict`, all of it was passed to the console.
        case inputEnded
        /// The daemon ended the session, for this reason.
        case closed(String)
    }

    /// Joins a console: its output goes to `onOutput`, `input` goes to it. `onJoined` is called, before any output,
    /// when the daemon has accepted the session. `onNotice` gets the daemon's notices, such as that another client has
    /// taken over.
    ///
    /// Throws `APIError` when the daemon refuses the session, `Unreachable` when no daemon answers.
    public func console(
        _ target: RequestTarget,
        input: AsyncStream<[UInt8]>,
        onJoined: @escaping @Sendable () -> Void = {},
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        _ onOutput: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> ConsoleEnd {
        let isStrict = try target.flag("strict") ?? false
        let channel = try await upgrade(target)
        return try await channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: ConsoleEnd?.self) { tasks in
                tasks.addTask {
                    try await receive(inbound, outbound, onJoined, onNotice, onOutput)
                }
                tasks.addTask {
                    do {
                        try await Self.send(input, isStrict: isStrict, outbound)
                        return isStrict ? nil : .inputEnded
                    } catch is IOError, is ChannelError {
                        // A broken connection is detected by the reader.
                        return nil
                    }
                }
                defer { tasks.cancelAll() }
                while let end = try await tasks.next() {
                    if let end {
                        return end
                    }
                }
                return .closed(Self.broken)
            }
        }
    }

    /// Sends the input and, when the session is strict, a close frame, which is answered after the console has taken
    /// all input.
    private static func send(
        _ input: AsyncStream<[UInt8]>,
        isStrict: Bool,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws {
        // The daemon reads client frames only after the session has joined the console, so its pong confirms the join.
        try await outbound.write(frame(.ping, ByteBuffer()))
        for await bytes in input {
            try await outbound.write(frame(.binary, ByteBuffer(bytes: bytes)))
        }
        if isStrict {
            var data = ByteBuffer()
            data.write(webSocketErrorCode: .normalClosure)
            try await outbound.write(frame(.connectionClose, data))
        }
    }

    private static let broken = "the connection to the daemon ended"

    private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }

    /// The frame that shows the daemon that the client is alive (RFC 6455, section 5.5.3).
    static func answer(toPing ping: WebSocketFrame) -> WebSocketFrame { frame(.pong, ping.unmaskedData) }

    /// Reads frames until the daemon ends the session, and answers its pings: it ends a session without answers. Throws
    /// when it refuses the session.
    private func receive(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        _ onJoined: @Sendable () -> Void,
        _ onNotice: @Sendable (String) -> Void,
        _ onOutput: @Sendable ([UInt8]) -> Void
    ) async throws -> ConsoleEnd {
        var isJoined = false
        // A broken connection counts as ended.
        var frames = inbound.makeAsyncIterator()
        func join() {
            if !isJoined {
                isJoined = true
                onJoined()
            }
        }
        while let frame = try? await frames.next() {
            switch frame.opcode {
            case .ping:
                try? await outbound.write(Self.answer(toPing: frame))
            case .pong:
                join()
            case .text:
                join()
                onNotice(String(buffer: frame.unmaskedData))
            case .binary, .continuation:
                join()
                onOutput(Array(frame.unmaskedData.readableBytesView))
            case .connectionClose:
                var data = frame.unmaskedData
                let code = data.readWebSocketErrorCode()
                let words = String(buffer: data)
                guard isJoined else {
                    if code == .goingAway || code == .serviceRestart {
                        throw Unreachable.cut(socket)
                    }
                    throw APIError(code == .tryAgainLater ? 503 : 409, words)
                }
                return words.isEmpty ? .inputEnded : .closed(words)
            default:
                break
            }
        }
        guard isJoined else {
            throw Unreachable.cut(socket)
        }
        return .closed(Self.broken)
    }

    private func upgrade(_ target: RequestTarget) async throws -> WebSocketChannel {
        let negotiation: EventLoopFuture<Upgraded>
        do {
            negotiation = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: socket) { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.configureUpgrade(channel, target) }
                }
        } catch {
            throw Unreachable(socket: socket, error)
        }
        let upgraded: Upgraded
        do {
            upgraded = try await negotiation.get()
        } catch {
            throw Unreachable.cut(socket)
        }
        guard case .webSocket(let channel) = upgraded else {
            throw APIError(502, "the daemon refused the console session")
        }
        return channel
    }

    private static func configureUpgrade(
        _ channel: any Channel,
        _ target: RequestTarget
    ) throws -> EventLoopFuture<Upgraded> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgraded>(
            maxFrameSize: APIServer.Limits.defaultFrame,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    .webSocket(try WebSocketChannel(wrappingChannelSynchronously: channel))
                }
            }
        )
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .GET,
            uri: target.text,
            headers: ["Host": "guestlog", "Content-Length": "0"]
        )
        let upgrade = NIOTypedHTTPClientUpgradeConfiguration<Upgraded>(
            upgradeRequestHead: head,
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { $0.eventLoop.makeSucceededFuture(.refused) }
        )
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: upgrade)
        // Console output may arrive together with the response.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }
}
