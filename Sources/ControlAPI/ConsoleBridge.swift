import Capture
import ConsoleHub
import LogModel
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import SystemIO

/// Joins a WebSocket to a console: binary frames carry the console's bytes out and the writer's in.
struct ConsoleBridge {
    let server: ControlServer

    func serve(_ channel: WebSocketChannel, _ wanted: Result<ConsoleVisit, APIError>) async throws {
        let peer = try? await channel.channel.peerCredentials()
        try await channel.executeThenClose { inbound, outbound in
            do {
                let visit = try wanted.get()
                let caller =
                    switch visit.visitor {
                    case .local: try server.localCaller(peer)
                    case .known(let caller): caller
                    }
                let console = try await attach(visit, as: caller, on: channel.channel.eventLoop)
                try await server.sessions.during(caller, channel.channel, from: server.now) {
                    try await pump(console, visit, inbound, outbound)
                }
            } catch let error as APIError {
                try await close(outbound, error.message, error.status >= 500 ? .tryAgainLater : .policyViolation)
                await awaitEnd(of: inbound)
            }
        }
    }

    /// Reads on until the client has closed its end, for a moment: a connection that is closed with something unread in
    /// it would take the close frame with it.
    private func awaitEnd(of inbound: NIOAsyncChannelInboundStream<WebSocketFrame>) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    for try await _ in inbound {}
                } catch {
                    // It has ended, too.
                }
            }
            tasks.addTask { try? await Task.sleep(for: .seconds(1)) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func attach(
        _ visit: ConsoleVisit,
        as caller: Caller,
        on loop: any NIOCore.EventLoop
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let role = try visit.role
        let stream = visit.stream ?? StreamName.console0.text
        let keys = try server.consoles(of: visit.vm, for: caller).map(\.definition.key)
        guard let key = keys.first(where: { $0.stream.text == stream }) else {
            let streams = keys.map(\.stream.text).joined(separator: ", ")
            throw APIError.notFound("no console of \(visit.vm) feeds \(stream); there is \(streams)")
        }
        let raw = try await joinHub(key, role, caller.name, isStrict: visit.isStrict)
        return try await ClientBootstrap(group: loop).withConnectedSocket(raw) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(isOutboundHalfClosureEnabled: visit.isStrict)
                )
            }
        }
    }

    /// One end of a socket pair goes to the hub; the other's number is returned, to be closed by its channel.
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
            throw APIError.notFound("the console of \(key.name) is gone")
        }
        if isStrict, let refusal = attachment.refusal {
            throw APIError.conflict("nothing can be typed on \(key.name): \(refusal)")
        }
        if isStrict, !attachment.isConnected {
            throw APIError(503, "nothing can be typed on \(key.name): it is not connected")
        }
        return ours.release()
    }

    private func pump(
        _ console: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ visit: ConsoleVisit,
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws {
        let framing = visit.framing
        let isLeaving = NIOLockedValueBox(false)
        try await console.executeThenClose { output, input in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    for try await bytes in output {
                        try await outbound.write(framing.frame(bytes))
                    }
                    try await close(outbound, isLeaving.withLockedValue { $0 } ? "" : "the console is closed to you")
                }
                tasks.addTask {
                    for try await frame in inbound {
                        switch frame.opcode {
                        case .binary, .text, .continuation:
                            guard let bytes = framing.bytes(of: frame) else {
                                try await close(outbound, "a frame was expected to hold base 64")
                                return
                            }
                            try await input.write(bytes)
                        case .ping:
                            try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
                        case .connectionClose where visit.isStrict:
                            // The hub closes its end when it has read all that came before; that is answered with a
                            // close frame, unless the client goes first.
                            isLeaving.withLockedValue { $0 = true }
                            input.finish()
                        case .connectionClose:
                            // To be answered with one (RFC 6455, section 5.5.1).
                            try await close(outbound, "")
                            return
                        default:
                            break
                        }
                    }
                }
                try await tasks.next()
                tasks.cancelAll()
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
    /// What was asked for cannot be had just now (1013 in IANA's registry).
    static var tryAgainLater: WebSocketErrorCode { .unknown(1013) }
}

extension Channel {
    /// Who is at the other end of a Unix socket.
    func peerCredentials() async throws -> PeerCredentials? {
        guard let provider = self as? any SocketOptionProvider else {
            return nil
        }
        let credentials: RawCredentials = try await provider.unsafeGetSocketOption(
            level: .socket,
            name: NIOBSDSocket.Option(rawValue: Self.peerCredentialsOption)
        ).get()
        return PeerCredentials(process: credentials.process, user: credentials.user, group: credentials.group)
    }

    /// SO_PEERCRED.
    private static var peerCredentialsOption: CInt { 17 }
}

/// `struct ucred`.
private struct RawCredentials: Sendable {
    var process: Int32
    var user: UInt32
    var group: UInt32
}
