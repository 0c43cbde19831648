import Glibc
import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import SystemIO

/// The command line's end of the API: one connection a request, over the daemon's Unix socket.
public struct ControlClient: Sendable {
    private let socket: String

    /// A client of the daemon at `socket`.
    public init(socket: String) {
        self.socket = socket
    }

    /// The daemon could not be reached.
    public struct Unreachable: Error, CustomStringConvertible {
        /// The socket that was tried.
        public var socket: String
        /// Why.
        public var reason: String

        public var description: String {
            "the daemon cannot be reached at \(socket): \(reason); is guestlog serve running?"
        }
    }

    /// What came after a streamed answer.
    public struct Trailers: Sendable {
        /// Resumes after the answer.
        public var cursor: String?
        /// Whether anything matched.
        public var matched: Bool
        /// Why the answer was empty.
        public var explanation: String?
    }

    private typealias RequestChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    /// Whether somebody listens at the socket.
    public var isReachable: Bool {
        do {
            _ = try UnixSocket.connect(to: socket)
            return true
        } catch {
            return false
        }
    }

    /// Asks for one JSON value.
    public func get(_ target: RequestTarget) async throws -> JSON {
        try await json(.GET, target)
    }

    /// Has something made.
    public func post(_ target: RequestTarget, _ body: JSON) async throws -> JSON {
        try await json(.POST, target, body)
    }

    /// Has something removed.
    public func delete(_ target: RequestTarget) async throws -> JSON {
        try await json(.DELETE, target)
    }

    private func json(_ method: HTTPMethod, _ target: RequestTarget, _ body: JSON? = nil) async throws -> JSON {
        var answer: [UInt8] = []
        _ = try await request(method, target, body: body) { answer.append(contentsOf: $0) }
        return try JSON(parsing: answer)
    }

    /// Asks for text and hands each piece of it to `body` as it comes.
    public func stream(_ target: RequestTarget, _ body: ([UInt8]) throws -> Void) async throws -> Trailers {
        let trailers = try await request(.GET, target, body: nil, body)
        return Trailers(
            cursor: trailers?.first(name: "Guestlog-Cursor"),
            matched: trailers?.first(name: "Guestlog-Matched") == "1",
            explanation: (trailers?.first(name: "Guestlog-Explanation")).flatMap { RequestTarget.decode($0[...]) }
        )
    }

    private func request(
        _ method: HTTPMethod,
        _ target: RequestTarget,
        body: JSON?,
        _ onBody: ([UInt8]) throws -> Void
    ) async throws -> HTTPHeaders? {
        let channel = try await connect()
        return try await channel.executeThenClose { inbound, outbound in
            var headers = HTTPHeaders([("Host", "guestlog"), ("Connection", "close")])
            let text = body?.bytes ?? []
            if body != nil {
                headers.add(name: "Content-Type", value: "application/json")
                headers.add(name: "Content-Length", value: String(text.count))
            }
            let head = HTTPRequestHead(version: .http1_1, method: method, uri: target.text, headers: headers)
            // At once: the daemon may have answered, and closed, before another piece is written.
            let content: [HTTPPart<HTTPRequestHead, ByteBuffer>] = body == nil ? [] : [.body(ByteBuffer(bytes: text))]
            try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])

            var status = HTTPResponseStatus.ok
            var failure: [UInt8] = []
            do {
                for try await part in inbound {
                    switch part {
                    case .head(let head):
                        status = head.status
                    case .body(let bytes) where status == .ok:
                        try onBody(Array(bytes.readableBytesView))
                    case .body(let bytes):
                        failure.append(contentsOf: bytes.readableBytesView)
                    case .end(let trailers):
                        guard status == .ok else {
                            throw Self.failure(status, failure)
                        }
                        return trailers
                    }
                }
            } catch is HTTPParserError {
                // An answer that was cut is no HTTP.
            }
            throw Unreachable(socket: socket, reason: "the connection ended in the middle of an answer")
        }
    }

    private static func failure(_ status: HTTPResponseStatus, _ body: [UInt8]) -> APIError {
        let message = (try? JSON(parsing: body))?["error"]?.text
        return APIError(Int(status.code), message ?? status.reasonPhrase)
    }

    /// Says in plain words why the daemon cannot be reached, when it cannot.
    private func checkReachable() throws(Unreachable) {
        do {
            _ = try UnixSocket.connect(to: socket)
        } catch {
            throw Unreachable(socket: socket, reason: String(cString: strerror(error.code)))
        }
    }

    private func connect() async throws -> RequestChannel {
        try checkReachable()
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: socket) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(RequestBodyHandler())
                        return try RequestChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Unreachable(socket: socket, reason: "\(error)")
        }
    }

    // MARK: - Consoles

    private enum Upgraded: Sendable {
        case webSocket(WebSocketChannel)
        case refused
    }

    /// Joins a console: what it says goes to `onOutput`, what `input` yields goes to it. Returns the daemon's last
    /// words when the console is closed, nil when `input` ended.
    public func console(
        _ target: RequestTarget,
        input: AsyncStream<[UInt8]>,
        _ onOutput: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> String? {
        let channel = try await upgrade(target)
        return try await channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: String?.self) { tasks in
                tasks.addTask {
                    for try await frame in inbound {
                        switch frame.opcode {
                        case .binary, .text, .continuation:
                            onOutput(Array(frame.unmaskedData.readableBytesView))
                        case .connectionClose:
                            var data = frame.unmaskedData
                            _ = data.readWebSocketErrorCode()
                            return String(buffer: data)
                        default:
                            break
                        }
                    }
                    return "the daemon closed the connection"
                }
                tasks.addTask {
                    for await bytes in input {
                        let frame = WebSocketFrame(
                            fin: true,
                            opcode: .binary,
                            maskKey: .random(),
                            data: ByteBuffer(bytes: bytes)
                        )
                        try await outbound.write(frame)
                    }
                    return nil
                }
                let first = try await tasks.next() ?? nil
                tasks.cancelAll()
                return first
            }
        }
    }

    private func upgrade(_ target: RequestTarget) async throws -> WebSocketChannel {
        try checkReachable()
        let negotiation: EventLoopFuture<Upgraded>
        do {
            negotiation = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: socket) { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.configureUpgrade(channel, target) }
                }
        } catch {
            throw Unreachable(socket: socket, reason: "\(error)")
        }
        guard case .webSocket(let channel) = try await negotiation.get() else {
            throw APIError(502, "the daemon refused the console")
        }
        return channel
    }

    private static func configureUpgrade(
        _ channel: any Channel,
        _ target: RequestTarget
    ) throws -> EventLoopFuture<Upgraded> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgraded>(
            maxFrameSize: ControlServer.Limits.standardFrame,
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
        // What the console says may come with the answer.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }
}

/// Lets the async side write plain buffers.
private final class RequestBodyHandler: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPClientRequestPart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
