import Glibc
import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import SystemIO

/// The command line's end of the API: one connection a request, over the daemon's Unix socket.
public struct ControlClient: Sendable {
    /// The daemon's socket.
    public let socket: String

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
        /// What to do about it, when that can be told.
        public var hint: String?

        /// An attempt at `socket` that failed for `reason`.
        public init(socket: String, reason: String) {
            self.init(socket: socket, reason: reason, hint: Self.isItRunning)
        }

        private init(socket: String, reason: String, hint: String?) {
            self.socket = socket
            self.reason = reason
            self.hint = hint
        }

        /// The failure to connect with errno `code`.
        init(socket: String, code: Int32) {
            self.init(socket: socket, reason: String(cString: strerror(code)), hint: Self.hint(socket, code))
        }

        /// Whether the daemon was there, and went away before its answer ended.
        public var isCut: Bool { reason == Self.cutReason }
        private static let cutReason = "the connection ended in the middle of an answer"

        static func cut(_ socket: String) -> Unreachable { Unreachable(socket: socket, reason: cutReason) }

        static let isItRunning = "is guestlog serve running?"
        /// The socket of the daemon that is the system's.
        private static let systemSocket = "/run/guestlog/guestlog.sock"

        private static func hint(_ socket: String, _ code: Int32) -> String? {
            switch code {
            case EACCES: "root and the members of the socket's group may use it"
            case ENAMETOOLONG: "a socket's path has 107 bytes at most"
            case ENOENT where socket != systemSocket && access(systemSocket, F_OK) == 0:
                "the system's daemon is at \(systemSocket): name it with --socket or GUESTLOG_SOCKET"
            default: isItRunning
            }
        }

        public var description: String {
            "the daemon cannot be reached at \(socket): \(reason)" + (hint.map { "; \($0)" } ?? "")
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

    /// The folder of the store that the daemon keeps; nil when none answers within a second.
    public func store() async -> String? {
        guard (try? checkReachable()) != nil else {
            return nil
        }
        return await withTaskGroup(of: String?.self) { tasks in
            tasks.addTask { (try? await get(RequestTarget(["v1", "status"])))?["store"]?.text }
            tasks.addTask {
                try? await Task.sleep(for: .seconds(1))
                return nil
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? nil
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

    /// Asks for text as `stream` does, and goes on where the answer was cut when the daemon is replaced or restarted.
    /// `onLost` is called when the daemon went away, `onResumed` when it answers again, before more of the text.
    public func follow(
        _ target: RequestTarget,
        onLost: () -> Void,
        onResumed: () throws -> Void,
        _ body: ([UInt8]) throws -> Void
    ) async throws -> Trailers {
        var target = target
        target.parameters["resumable"] = ["1"]
        var isLost = false
        var matched = false
        return try await persist {
            isLost = true
            onLost()
        } _: { reconnected in
            var reader = ResumableAnswer.Reader()
            var trailers = try await stream(target) { bytes in
                try reader.take(bytes) { piece, cursor in
                    if isLost {
                        isLost = false
                        reconnected()
                        try onResumed()
                    }
                    matched = matched || !piece.isEmpty
                    target.parameters["cursor"] = [cursor]
                    // The cursor says where to begin.
                    target.parameters["tail"] = nil
                    try body(piece)
                }
            }
            trailers.matched = trailers.matched || matched
            return trailers
        }
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
            var status = HTTPResponseStatus.ok
            var failure: [UInt8] = []
            do {
                try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])
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
            } catch is HTTPParserError, is IOError, is ChannelError {
                // An answer that was cut is no HTTP.
            }
            throw Unreachable.cut(socket)
        }
    }

    /// Runs `attempt` again when the daemon went away before its answer ended, until it has answered. `onLost` is
    /// called when it went away; an attempt that outlives that says so by calling what it is given.
    public func persist<Result>(
        onLost: () -> Void,
        _ attempt: (_ reconnected: () -> Void) async throws -> Result
    ) async throws -> Result {
        var reconnection = Reconnection()
        while true {
            do {
                return try await attempt { reconnection.connected() }
            } catch let error as Unreachable where reconnection.isLost || error.isCut {
                if !reconnection.isLost {
                    onLost()
                }
                guard await reconnection.wait() else {
                    throw error
                }
            }
        }
    }

    private static func failure(_ status: HTTPResponseStatus, _ body: [UInt8]) -> APIError {
        let message = (try? JSON(parsing: body))?["error"]?.text
        return APIError(Int(status.code), message ?? status.reasonPhrase)
    }

    /// Says in plain words why the daemon cannot be reached, when it cannot.
    func checkReachable() throws(Unreachable) {
        do {
            _ = try UnixSocket.connect(to: socket)
        } catch {
            throw Unreachable(socket: socket, code: error.code)
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
