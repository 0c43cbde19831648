import Capture
import ConsoleHub
import LogModel
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
                    try await pump(console, visit.framing, inbound, outbound)
                }
            } catch let error as APIError {
                try await close(outbound, error.message, .policyViolation)
            }
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
        let raw = try joinHub(key, role, caller.name)
        return try await ClientBootstrap(group: loop).withConnectedSocket(raw) { channel in
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
        }
    }

    /// One end of a socket pair goes to the hub; the other's number is returned, to be closed by its channel.
    private func joinHub(_ key: StreamKey, _ role: WatcherRole, _ who: String) throws -> Int32 {
        let pair = try Descriptor.socketPair()
        guard server.hub.attach(key, try pair.first.duplicate(), as: role, who: who) else {
            throw APIError.notFound("the console of \(key.name) is gone")
        }
        return try pair.second.duplicate().release()
    }

    private func pump(
        _ console: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ framing: ConsoleVisit.Framing,
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws {
        try await console.executeThenClose { output, input in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    for try await bytes in output {
                        try await outbound.write(framing.frame(bytes))
                    }
                    try await close(outbound, "the console is closed to you")
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
