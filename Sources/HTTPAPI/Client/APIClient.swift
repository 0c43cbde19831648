// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Query
import SystemIO

/// The command line's API client: one connection for each request, over the daemon's Unix socket.
public struct APIClient: Sendable {
    public let socket: String

    public init(socket: String) {
        self.socket = socket
    }

    /// The daemon could not be reached.
    public struct Unreachable: Error, CustomStringConvertible {
        public var socket: String
        /// The reason.
        public var reason: String
        /// How to correct it, when that is known.
        public var hint: String?

        public init(socket: String, reason: String) {
            self.init(socket: socket, reason: reason, hint: Self.isItRunning)
        }

        private init(socket: String, reason: String, hint: String?) {
            self.socket = socket
            self.reason = reason
            self.hint = hint
        }

        /// The failure of a connection to `socket`.
        init(socket: String, _ error: any Error) {
            switch error {
            case let error as IOError: self.init(socket: socket, code: error.errnoCode)
            case SocketAddressError.unixDomainSocketPathTooLong: self.init(socket: socket, code: ENAMETOOLONG)
            default: self.init(socket: socket, reason: "\(error)")
            }
        }

        private init(socket: String, code: Int32) {
            self.init(socket: socket, reason: String(cString: strerror(code)), hint: Self.hint(socket, code))
        }

        /// Whether the daemon answered and closed the connection before the response ended.
        var isCut: Bool { reason == Self.cutReason }
        private static let cutReason = "the connection ended in the middle of a response"

        static func cut(_ socket: String) -> Unreachable { Unreachable(socket: socket, reason: cutReason) }

        static let isItRunning = "is guestlog serve running?"
        /// The socket of the system's daemon.
        public static let systemSocket = "/run/guestlog/guestlog.sock"

        private static func hint(_ socket: String, _ code: Int32) -> String? {
            switch code {
            case EACCES: "only root and members of the socket's group can connect"
            case ENAMETOOLONG: UnixSocket.pathRule
            case ENOENT where socket != systemSocket: hint(besides: systemSocket) ?? isItRunning
            default: isItRunning
            }
        }

        /// What to use where nothing is at another path and the system's daemon has the socket `system`; nil when there is
        /// none.
        public static func hint(besides system: String) -> String? {
            do throws(SystemError) {
                _ = try FileAttributes(following: system)
                return "the system's daemon listens at \(system): use --socket or GUESTLOG_SOCKET"
            } catch {
                guard error.code == EACCES else {
                    return nil
                }
                return "the system's daemon is for root and the group guestlog: use sudo, or join that group "
                    + "(usermod -aG guestlog USER) and set GUESTLOG_SOCKET=\(system)"
            }
        }

        public var description: String {
            "cannot reach the daemon at \(socket): \(reason)" + (hint.map { "; \($0)" } ?? "")
        }
    }

    /// The trailers of a streamed response.
    public struct Trailers: Sendable {
        /// Resumes after the response.
        public var cursor: String?
        /// Whether anything matched.
        public var matched: Bool
        /// Why the response is empty.
        public var explanation: String?
    }

    private typealias RequestChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    /// The store folder of the daemon; nil when none answers within a second.
    public func store() async -> String? {
        await withTaskGroup(of: String?.self) { tasks in
            tasks.addTask { (try? await get(RequestTarget(["v1", "status"])))?["store"]?.text }
            tasks.addTask {
                try? await Task.sleep(for: .seconds(1))
                return nil
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? nil
        }
    }

    /// Sends a GET; returns the response's JSON.
    public func get(_ target: RequestTarget) async throws -> JSON {
        try await json(.GET, target)
    }

    /// Sends a POST with `body`; returns the response's JSON.
    public func post(_ target: RequestTarget, _ body: JSON) async throws -> JSON {
        try await json(.POST, target, body)
    }

    /// Sends a DELETE; returns the response's JSON.
    public func delete(_ target: RequestTarget) async throws -> JSON {
        try await json(.DELETE, target)
    }

    private func json(_ method: HTTPMethod, _ target: RequestTarget, _ body: JSON? = nil) async throws -> JSON {
        var answer: [UInt8] = []
        _ = try await request(method, target, body: body) { answer.append(contentsOf: $0) }
        return try JSON(parsing: answer)
    }

    /// Requests text and passes each piece of it to `body` as it arrives.
    public func stream(_ target: RequestTarget, _ body: ([UInt8]) throws -> Void) async throws -> Trailers {
        let trailers = try await request(.GET, target, body: nil, body)
        return Trailers(
            cursor: trailers?.first(name: "Guestlog-Cursor"),
            matched: trailers?.first(name: "Guestlog-Matched") == "1",
            explanation: (trailers?.first(name: "Guestlog-Explanation")).flatMap { RequestTarget.decode($0) }
        )
    }

    /// Requests text as `stream` does, and resumes after the last piece when the daemon is replaced or restarted.
    /// `onLost` is called when the connection is lost, `onResumed` when the daemon answers again, before more text.
    public func follow(
        _ target: RequestTarget,
        onLost: () -> Void,
        onResumed: () throws -> Void,
        _ body: ([UInt8]) throws -> Void
    ) async throws -> Trailers {
        var target = target
        target.parameters["resumable"] = ["1"]
        var cursor: QueryCursor?
        var isLost = false
        // Whether anything came over a connection that was lost with its trailers, and over the present one.
        var (came, comes) = (false, false)
        return try await persist {
            isLost = true
            (came, comes) = (came || comes, false)
            onLost()
        } _: { reconnected in
            if let cursor {
                // The cursor determines the start.
                target.parameters["cursor"] = [cursor.text]
                target.parameters["tail"] = nil
            }
            var reader = ResumableBody.Reader()
            var trailers = try await stream(target) { bytes in
                try reader.take(bytes) { piece, moved in
                    if isLost {
                        isLost = false
                        reconnected()
                        try onResumed()
                    }
                    comes = comes || !piece.isEmpty
                    cursor = cursor ?? QueryCursor()
                    try cursor?.merge(QueryCursor(moved))
                    try body(piece)
                }
            }
            trailers.matched = trailers.matched || came
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
            // In one write: the daemon may answer and close before a second one.
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
                // An interrupted response is a protocol error.
            }
            throw Unreachable.cut(socket)
        }
    }

    /// Repeats `attempt` while the daemon goes away before its response has ended. `onLost` is called when that
    /// happens; an attempt reports that it is connected again by calling its argument.
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
        let answer = try? JSON(parsing: body)
        return APIError(
            Int(status.code),
            answer?["error"]?.text ?? status.reasonPhrase,
            code: answer?["code"]?.text
        )
    }

    private func connect() async throws -> RequestChannel {
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
            throw Unreachable(socket: socket, error)
        }
    }
}

/// Lets the async side write `ByteBuffer`s.
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
