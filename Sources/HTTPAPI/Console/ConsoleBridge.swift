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
    let context: APIContext
    let caller: Caller

    /// How much is read ahead from a console and its socket. What the client does not take stays in the socket, whose
    /// size the hub bounds.
    private static let readAhead = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
        lowWatermark: 1,
        highWatermark: 2
    )
    private static let readSize = 16 << 10

    /// Serves a console session until it ends, and sends the close frame.
    func serve(_ session: ConsoleSessionRequest, _ streams: WebSocketStreams) async throws {
        let key = try key(of: session)
        let lease = try context.sessions.lease([key.vm.directoryName], for: caller)
        defer { lease.end() }
        let notices = Notices()
        let console = try await attach(key, session, notices, on: streams.eventLoop)
        try await pump(console, notices, session, streams)
    }

    private func key(of session: ConsoleSessionRequest) throws(APIError) -> StreamKey {
        let stream = session.stream ?? StreamName.console0.text
        let consoles = try context.consoles(of: session.vm, for: caller)
        guard let console = consoles.first(where: { $0.key.stream.text == stream }) else {
            let streams = consoles.map(\.key.stream.text).joined(separator: ", ")
            throw APIError.notFound("\(session.vm) has no console for the stream \(stream); its streams are \(streams)")
        }
        return console.key
    }

    private func attach(
        _ key: StreamKey,
        _ session: ConsoleSessionRequest,
        _ notices: Notices,
        on loop: any NIOCore.EventLoop
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let raw = try await joinHub(key, session, notices)
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
    private func joinHub(
        _ key: StreamKey,
        _ session: ConsoleSessionRequest,
        _ notices: Notices
    ) async throws -> Int32 {
        let role = try session.role
        let pair = try Descriptor.socketPair()
        let first = try pair.first.duplicate()
        let ours = try pair.second.duplicate()
        let theirs = first.release()
        let attachment = await withCheckedContinuation { continuation in
            let descriptor = Descriptor(owning: theirs)
            let isThere = context.hub.attach(
                key,
                descriptor,
                as: role,
                who: caller.name,
                onNotice: notices.add,
                { continuation.resume(returning: $0) }
            )
            if !isThere {
                continuation.resume(returning: nil)
            }
        }
        guard let attachment else {
            throw APIError.notFound("the console of \(key.name) was removed")
        }
        if session.isStrict, let refusal = attachment.refusal {
            throw APIError.conflict("cannot type on \(key.name): \(refusal)")
        }
        if session.isStrict, !attachment.isConnected {
            throw APIError(503, "cannot type on \(key.name): it is not connected")
        }
        return ours.release()
    }

    private func pump(
        _ console: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ notices: Notices,
        _ session: ConsoleSessionRequest,
        _ streams: WebSocketStreams
    ) async throws {
        let (inbound, outbound) = (streams.inbound, streams.outbound)
        let framing = session.framing
        let isLeaving = NIOLockedValueBox(false)
        let liveness = Liveness()
        try await console.executeThenClose { output, input in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    async let sent: Void = send(notices, session, outbound)
                    for try await bytes in output {
                        try await outbound.write(framing.frame(bytes))
                    }
                    notices.finish()
                    try await sent
                    if isLeaving.withLockedValue({ $0 }) {
                        try await streams.close("")
                    } else {
                        try await streams.close(notices.end)
                    }
                }
                tasks.addTask {
                    var frames = WebSocketInput(framing)
                    for try await frame in inbound {
                        liveness.heard()
                        switch try frames.take(frame) {
                        case .typed(let bytes):
                            // This waits while the guest takes no input, and the client's frames wait with it.
                            try await liveness.ignoring { try await input.write(bytes) }
                        case .ping(let data):
                            try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
                        case .close where session.isStrict:
                            // The hub closes its end after it has read all input sent before. That is answered with a
                            // close frame, unless the client closes first.
                            isLeaving.withLockedValue { $0 = true }
                            input.finish()
                        case .close:
                            // The answer is a close frame too (RFC 6455, section 5.5.1).
                            try await streams.close("")
                            return
                        case .nothing: break
                        }
                    }
                }
                tasks.addTask {
                    while try await liveness.isAlive(after: context.pingInterval) {
                        try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
                    }
                    try await streams.close("the client did not answer a ping", .policyViolation)
                }
                defer { tasks.cancelAll() }
                try await tasks.next()
            }
        }
    }

    /// Sends notices as text frames, until there are no more, to a client that tells them from the console's bytes.
    private func send(
        _ notices: Notices,
        _ session: ConsoleSessionRequest,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws {
        for await notice in notices.stream where session.takesNotices {
            try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: notice)))
        }
    }
}

extension WebSocketStreams {
    /// Sends the close frame of a session that the hub has ended, with the notice that it has given before, if any.
    fileprivate func close(_ end: ConsoleNotice?) async throws {
        // What a client that may join again is told must not read as the end of the output.
        try await close(
            end?.text ?? "the console session has ended",
            end?.end?.mayRejoin == true ? .tryAgainLater : .normalClosure
        )
    }
}

/// The hub's notices to the client of one session.
private struct Notices: Sendable {
    let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    private let ending = NIOLockedValueBox<ConsoleNotice?>(nil)

    /// More notices than this are not waited for: the oldest are dropped.
    private static let limit = 16

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.limit))
    }

    /// The first notice that ends the session; nil before.
    var end: ConsoleNotice? { ending.withLockedValue { $0 } }

    @Sendable
    func add(_ notice: ConsoleNotice) {
        if notice.end != nil {
            ending.withLockedValue { $0 = $0 ?? notice }
        }
        continuation.yield(notice.text)
    }

    func finish() {
        continuation.finish()
    }
}
