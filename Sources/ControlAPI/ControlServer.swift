import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import SystemIO

typealias HTTPServerChannel = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
typealias ResponseWriter = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>

/// The daemon's HTTP side: answers on a listening socket until its task is cancelled.
public final class ControlServer: Sendable {
    let capture: CaptureService
    let hub: ConsoleHub
    let version: String
    let started: Timestamp
    private let group: MultiThreadedEventLoopGroup
    private let limits: Limits

    /// What one daemon serves at most.
    public struct Limits: Sendable {
        /// Bytes of a request's body.
        public var body = 64 << 10
        /// Bytes of one WebSocket frame, in either direction.
        public var frame = Self.standardFrame

        /// What both ends take and send: a console is read in pieces of at most this.
        static let standardFrame = 64 << 10

        /// The standard limits.
        public init() {}
    }

    enum Negotiated: Sendable {
        case http(HTTPServerChannel)
        case console(WebSocketChannel, RequestTarget)
    }

    /// A server over `capture` and `hub`.
    public init(capture: CaptureService, hub: ConsoleHub, version: String) {
        self.capture = capture
        self.hub = hub
        self.version = version
        started = Timestamp(microseconds: capture.clock.wallMicroseconds())
        limits = Limits()
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    var now: Timestamp { Timestamp(microseconds: capture.clock.wallMicroseconds()) }

    /// Serves on `listener`, a listening socket, until cancelled.
    public func run(on listener: consuming Descriptor) async throws {
        let raw = listener.release()
        let server = try await ServerBootstrap(group: group)
            .bind(raw) { channel in
                channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
            }
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await negotiation in connections {
                    tasks.addTask { await self.serve(negotiation) }
                }
            }
        }
    }

    private func configure(_ channel: any Channel) throws -> EventLoopFuture<Negotiated> {
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: limits.frame,
            shouldUpgrade: { channel, head in
                let isConsole = RequestTarget(head.uri).flatMap { try? Route(.GET, $0) }.map(Self.isConsole) ?? false
                return channel.eventLoop.makeSucceededFuture(isConsole ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    let target = RequestTarget(head.uri) ?? RequestTarget([])
                    return .console(try WebSocketChannel(wrappingChannelSynchronously: channel), target)
                }
            }
        )
        let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Negotiated>(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ResponseBodyHandler())
                    return .http(try HTTPServerChannel(wrappingChannelSynchronously: channel))
                }
            }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: upgrade)
        )
    }

    private static func isConsole(_ route: Route) -> Bool {
        if case .console = route { true } else { false }
    }

    private func serve(_ negotiation: EventLoopFuture<Negotiated>) async {
        do {
            switch try await negotiation.get() {
            case .http(let channel): try await serve(channel)
            case .console(let channel, let target): try await ConsoleBridge(server: self).serve(channel, target)
            }
        } catch {
            // The client went away, or sent what is no HTTP: there is nobody to tell.
            capture.diagnostics.say(.debug, "a connection ended: \(error)")
        }
    }

    private func serve(_ channel: HTTPServerChannel) async throws {
        let peer = try? await channel.channel.peerCredentials()
        try await channel.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let received):
                    head = received
                    body = []
                case .body(let bytes):
                    guard body.count + bytes.readableBytes <= limits.body else {
                        try await Self.answer(outbound, APIError(413, "the body is longer than \(limits.body) bytes"))
                        return
                    }
                    body.append(contentsOf: bytes.readableBytesView)
                case .end:
                    guard let request = head else {
                        return
                    }
                    let closed = channel.channel.closeFuture
                    try await respond(to: request, body: body, from: peer, outbound, until: closed)
                    if !request.isKeepAlive {
                        return
                    }
                }
            }
        }
    }

    private func respond(
        to head: HTTPRequestHead,
        body: [UInt8],
        from peer: PeerCredentials?,
        _ outbound: ResponseWriter,
        until closed: EventLoopFuture<Void>
    ) async throws {
        guard let target = RequestTarget(head.uri) else {
            try await Self.answer(outbound, APIError.badRequest("the address has a broken escape"))
            return
        }
        do {
            let route = try Route(head.method, target)
            if case .logs = route {
                try await LogStream(server: self).answer(target, outbound, until: closed)
                return
            }
            if case .wait(let vm) = route {
                try await Self.answer(outbound, WaitRequest(server: self).answer(vm, target, until: closed))
                return
            }
            if case .console = route {
                throw APIError(426, "a console is a WebSocket: ask for an upgrade")
            }
            try await Self.answer(outbound, try await answer(route, target, body, from: peer))
        } catch let error as APIError {
            try await Self.answer(outbound, error)
        } catch let error as BrokenAnswer {
            throw error
        } catch let error as ChannelError {
            throw error
        } catch {
            try await Self.answer(outbound, Self.apiError(error))
        }
    }

    // MARK: - Answers

    static func answer(_ outbound: ResponseWriter, _ json: JSON, status: HTTPResponseStatus = .ok) async throws {
        let text = json.bytes + [UInt8(ascii: "\n")]
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: "application/json")
        headers.add(name: "Content-Length", value: String(text.count))
        try await outbound.write(
            contentsOf: [
                .head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)),
                .body(ByteBuffer(bytes: text)),
                .end(nil),
            ]
        )
    }

    static func answer(_ outbound: ResponseWriter, _ error: APIError) async throws {
        try await answer(outbound, error.json, status: HTTPResponseStatus(statusCode: error.status))
    }
}

/// Lets the async side write plain buffers.
private final class ResponseBodyHandler: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPServerResponsePart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
