import LogModel
import NIOCore
import NIOWebSocket

/// What a client sends over a WebSocket, frame by frame, held to RFC 6455, section 5.
struct WebSocketInput {
    /// What a frame comes to.
    enum Event: Equatable {
        /// Bytes for the console.
        case typed(ByteBuffer)
        /// To be answered by a pong with these bytes.
        case ping(ByteBuffer)
        /// The client closes; to be answered with a close frame.
        case close
        /// Nothing is to be done: a pong, or a part of a message that is still to come.
        case nothing
    }

    /// The client broke the protocol: the connection fails (section 7.1.7).
    struct Violation: Error {
        /// What the close frame says.
        let code: WebSocketErrorCode
        let reason: String

        static func protocolError(_ reason: String) -> Violation { Violation(code: .protocolError, reason: reason) }
    }

    private enum Message {
        /// Binary frames are handed on as they come.
        case binary
        /// Text is gathered, for a character or a quantum of base 64 may be cut by a frame's end.
        case text(ByteBuffer)
    }

    private let framing: ConsoleSessionRequest.Framing
    /// Bytes of a text message.
    private let limit: Int
    private var message: Message?

    /// Input whose text holds what `framing` says, `limit` bytes a message at most.
    init(_ framing: ConsoleSessionRequest.Framing, limit: Int) {
        self.framing = framing
        self.limit = limit
    }

    /// Takes the next frame.
    mutating func take(_ frame: WebSocketFrame) throws(Violation) -> Event {
        guard frame.maskKey != nil else {
            throw .protocolError("a client's frames must be masked")
        }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            throw .protocolError("a reserved bit is set, and no extension was negotiated")
        }
        switch frame.opcode {
        case .ping: return .ping(frame.unmaskedData)
        case .pong: return .nothing
        case .connectionClose:
            try Self.checkClose(frame.unmaskedData)
            return .close
        case .binary, .text:
            guard message == nil else {
                throw .protocolError("a message begins inside another")
            }
            // What is base 64 may come in either kind of frame.
            message = frame.opcode == .text || framing == .base64 ? .text(ByteBuffer()) : .binary
            return try continueMessage(frame)
        case .continuation:
            guard message != nil else {
                throw .protocolError("a continuation frame continues no message")
            }
            return try continueMessage(frame)
        default:
            throw .protocolError("unknown opcode")
        }
    }

    private mutating func continueMessage(_ frame: WebSocketFrame) throws(Violation) -> Event {
        guard case .text(var text)? = message else {
            message = frame.fin ? nil : .binary
            return .typed(frame.unmaskedData)
        }
        text.writeImmutableBuffer(frame.unmaskedData)
        guard text.readableBytes <= limit else {
            throw Violation(code: .messageTooLarge, reason: "a text message may have \(limit) bytes")
        }
        guard frame.fin else {
            message = .text(text)
            return .nothing
        }
        message = nil
        guard framing == .base64 else {
            guard String(validating: text.readableBytesView, as: UTF8.self) != nil else {
                throw Violation(code: .dataInconsistentWithMessage, reason: "a text message is not UTF-8")
            }
            return .typed(text)
        }
        guard let bytes = Base64.decode(text.readableBytesView) else {
            throw Violation(code: .dataInconsistentWithMessage, reason: "a message was expected to hold base 64")
        }
        return .typed(ByteBuffer(bytes: bytes))
    }

    /// A close frame holds nothing, or a code that may be sent (section 7.4) and a reason in UTF-8.
    private static func checkClose(_ data: ByteBuffer) throws(Violation) {
        guard data.readableBytes > 0 else {
            return
        }
        guard let code = data.getInteger(at: data.readerIndex, as: UInt16.self),
            (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code),
            String(validating: data.readableBytesView.dropFirst(2), as: UTF8.self) != nil
        else {
            throw .protocolError("the close frame is malformed")
        }
    }
}
