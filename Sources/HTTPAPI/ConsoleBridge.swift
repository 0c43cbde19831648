// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOWebSocket
import SystemIO

/// Connects a WebSocket to a console: frames carry the console's output to the client and the client's input to the
/// console.
struct ConsoleBridge {
    let server: APIServer

    /// How much is read ahead from a console and its socket. What the client does not take stays in the socket, whose
    /// size the hub bounds.
    private static let readAhead = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
        lowWatermark: 1,
        highWatermark: 2
    )
    private static let readSize = 16 << 10

    func serve(
        _ channel: WebSocketChannel,
        _ wanted: Result<ConsoleSessionRequest, APIError>,
        on connection: AcceptedConnection
    ) async throws {
        try await channel.executeThenClose { inbound, outbound in
            do {
                let session = try wanted.get()
                let caller =
                    switch session.client {
                    case .local: try server.localCaller(connection.peer)
                    case .known(let caller): caller
                    }
                try await connection.counted.answering(caller) {
                    try await server.sessions.during(caller, channel.channel) {
                        let key = try key(of: session, for: caller)
                        try await server.sessions.reading([key.vm.directoryName], for: caller) {
                            let console = try await attach(key, session, as: caller, on: channel.channel.eventLoop)
                            try await pump(console, session, inbound, outbound)
                        }
                    }
                }
            } catch let error as APIError {
                try await close(outbound, error.message, error.status >= 500 ? .tryAgainLater : .policyViolation)
                await awaitEnd(of: inbound)
            } catch let violation as WebSocketInput.Violation {
                try await close(outbound, violation.reason, violation.code)
            }
            connection.deadline.begin()
            try await channel.channel.drained()
        }
    }

    /// Reads until the client has closed its end, with a time limit: closing a connection with unread input would
    /// discard the close frame.
    private func awaitEnd(of inbound: NIOAsyncChannelInboundStream<WebSocketFrame>) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    for try await _ in inbound {}
                } catch {
                    // The client's end failed, which ends it too.
                }
            }
            tasks.addTask { try? await Task.sleep(for: .seconds(1)) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func key(of session: ConsoleSessionRequest, for caller: Caller) throws(APIError) -> (
        stream: StreamKey, vm: VMIdentity
    ) {
        let stream = session.stream ?? StreamName.console0.text
        let consoles = try server.consoles(of: session.vm, for: caller)
        guard let console = consoles.first(where: { $0.key.stream.text == stream }) else {
            let streams = consoles.map(\.key.stream.text).joined(separator: ", ")
            throw APIError.notFound("\(session.vm) has no console for the stream \(stream); its streams are \(streams)")
        }
        return (console.key, console.vm)
    }

    private func attach(
        _ key: (stream: StreamKey, vm: VMIdentity),
        _ session: ConsoleSessionRequest,
        as caller: Caller,
        on loop: any NIOCore.EventLoop
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let raw = try await joinHub(key.stream, try session.role, caller.name, isStrict: session.isStrict)
        return try await ClientBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readSize))
            .withConnectedSocket(raw) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(
                            backPressureStrategy: Self.readAhead,
                            isOutboundHalfClosureEnabled: session.isStrict
                        )
                    )
                }
            }
    }

    /// Passes one end of a socket pair to the hub and returns the other; the channel made from it closes it.
    private func joinHub(_ key: StreamKey, _ role: WatcherRole, _ who: String, isStrict: Bool) async throws -> Int32 {
        let pair = try Descriptor.socketPair()
        let theirs = try pair.first.duplicate().release()
        let ours = try pair.second.duplicate()
        let attachment = await withCheckedContinuation { continuation in
            let descriptor = Descriptor(owning: theirs)
            if !server.hub.attach(key, descriptor, as: role, who: who, { continuation.resume(returning: $0) }) {
                continuation.resume(returning: nil)
            }
        }
        guard let attachment else {
            throw APIError.notFound("the console of \(key.name) was removed")
        }
        if isStrict, let refusal = attachment.refusal {
            throw APIError.conflict("cannot type on \(key.name): \(refusal)")
        }
        if isStrict, !attachment.isConnected {
            throw APIError(503, "cannot type on \(key.name): it is not connected")
        }
        return ours.release()
    }

    private func pump(
        _ console: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ session: ConsoleSessionRequest,
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws {
        let framing = session.framing
        let isLeaving = NIOLockedValueBox(false)
        let liveness = Liveness()
        try await console.executeThenClose { output, input in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    for try await bytes in output {
                        try await outbound.write(framing.frame(bytes))
                    }
                    try await close(outbound, isLeaving.withLockedValue { $0 } ? "" : "the console session has ended")
                }
                tasks.addTask {
                    var frames = WebSocketInput(framing, limit: APIServer.Limits.standardFrame)
                    for try await frame in inbound {
                        liveness.heard()
                        switch try frames.take(frame) {
                        case .typed(let bytes): try await input.write(bytes)
                        case .ping(let data):
                            try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
                        case .close where session.isStrict:
                            // The hub closes its end after it has read all input sent before. That is answered with a
                            // close frame, unless the client closes first.
                            isLeaving.withLockedValue { $0 = true }
                            input.finish()
                        case .close:
                            // The answer is a close frame too (RFC 6455, section 5.5.1).
                            try await close(outbound, "")
                            return
                        case .nothing: break
                        }
                    }
                }
                tasks.addTask {
                    while try await liveness.isAlive(after: server.pingInterval) {
                        try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
                    }
                    try await close(outbound, "the client did not answer a ping", .policyViolation)
                }
                defer { tasks.cancelAll() }
                try await tasks.next()
            }
        }
    }

    private func close(
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        _ reason: String,
        _ code: WebSocketErrorCode = .normalClosure
    ) async throws {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        // A close frame holds at most 125 bytes, two of them the code.
        data.writeBytes(reason.utf8.prefix(123))
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }
}

extension WebSocketErrorCode {
    /// The service is temporarily unavailable (1013 in IANA's registry).
    static var tryAgainLater: WebSocketErrorCode { .unknown(1013) }
}
