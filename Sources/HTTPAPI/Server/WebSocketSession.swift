// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// A WebSocket that a route has accepted.
struct WebSocketSession: Sendable {
    /// The sender of the handshake: its limits apply, and the session ends with its token.
    let caller: Caller
    /// Header fields of the handshake's response.
    var headers = HTTPHeaders()
    /// Serves the WebSocket until the session ends. It closes it with a close frame; for `APIError` and
    /// `WebSocketInput.Violation` that is left to the server.
    let serve: @Sendable (WebSocketStreams) async throws -> Void
}

/// The two directions of a WebSocket.
struct WebSocketStreams: Sendable {
    let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    let eventLoop: any EventLoop

    /// A close frame holds at most 125 bytes, two of them the code.
    private static let longestReason = 123

    /// Sends a close frame.
    func close(_ reason: String, _ code: WebSocketErrorCode = .normalClosure) async throws {
        let data = Self.closeData(reason, code)
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }

    /// The contents of a close frame. The reason is UTF-8 (RFC 6455, section 5.5.1): no character is cut.
    static func closeData(_ reason: String, _ code: WebSocketErrorCode) -> ByteBuffer {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        data.writeString(reason.prefix(utf8: longestReason))
        return data
    }

    /// Reads until the client has closed its end, with a time limit: closing a connection with unread input would
    /// discard the close frame.
    fileprivate func awaitEnd() async {
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
}

extension HTTPServer {
    /// Serves a WebSocket, or reports in a close frame why it is refused.
    func serve(
        _ channel: WebSocketChannel,
        _ accepted: Result<WebSocketSession, APIError>,
        on connection: AcceptedConnection
    ) async throws {
        try await channel.executeThenClose { inbound, outbound in
            let streams = WebSocketStreams(
                inbound: inbound,
                outbound: outbound,
                eventLoop: channel.channel.eventLoop
            )
            do {
                let session = try accepted.get()
                try await connection.counted.answering(session.caller) {
                    try await context.sessions.during(session.caller, channel.channel, farewell: Self.closeFrame) {
                        try await session.serve(streams)
                    }
                }
            } catch let error as APIError {
                try await streams.close(error.message, error.status >= 500 ? .tryAgainLater : .policyViolation)
                await streams.awaitEnd()
            } catch let violation as WebSocketInput.Violation {
                try await streams.close(violation.reason, violation.code)
            }
            connection.deadline.begin()
            try await channel.channel.drained()
        }
    }

    /// The bytes of a close frame (RFC 6455, section 5.5.1) that says that the session is not permitted any more.
    @Sendable private static func closeFrame(_ reason: String) -> ByteBuffer {
        var data = WebSocketStreams.closeData(reason, .policyViolation)
        // The last frame of its message, without a mask; the opcode of a close frame is 8.
        var frame = ByteBuffer(bytes: [0x88, UInt8(data.readableBytes)])
        frame.writeBuffer(&data)
        return frame
    }
}

extension WebSocketErrorCode {
    /// The service is temporarily unavailable (1013 in IANA's registry).
    static var tryAgainLater: WebSocketErrorCode { .unknown(1013) }
}
