// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOWebSocket

/// Parses and checks a client's WebSocket frames (RFC 6455, section 5).
struct WebSocketInput {
    /// The meaning of a frame.
    enum Event: Equatable {
        /// Input for the console.
        case typed(ByteBuffer)
        /// To be answered by a pong with these bytes.
        case ping(ByteBuffer)
        /// To be answered with a close frame.
        case close
        /// No action: a pong, or a part of an incomplete message.
        case nothing
    }

    /// A protocol violation: the connection fails (section 7.1.7).
    struct Violation: Error {
        /// The close frame's code.
        let code: WebSocketErrorCode
        let reason: String

        static func protocolError(_ reason: String) -> Violation { Violation(code: .protocolError, reason: reason) }
    }

    private enum Message {
        case binary
        /// Text, and what a frame ended with inside a character or a base 64 quantum.
        case text(ByteBuffer)
    }

    private let framing: ConsoleSessionRequest.Framing
    /// The message that is not complete. What can be read of it is passed on at once, so its length does not matter.
    private var message: Message?

    /// Input whose messages are encoded as `framing`.
    init(_ framing: ConsoleSessionRequest.Framing) {
        self.framing = framing
    }

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
            // Base 64 is accepted in either kind of frame.
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
        var complete = text.readSlice(length: frame.fin ? text.readableBytes : completeLength(of: text)) ?? ByteBuffer()
        message = frame.fin ? nil : .text(text)
        guard framing == .base64 else {
            guard String(validating: complete.readableBytesView, as: UTF8.self) != nil else {
                throw Violation(code: .dataInconsistentWithMessage, reason: "a text message is not UTF-8")
            }
            return event(complete, frame)
        }
        guard let bytes = Base64.decode(complete.readableBytesView) else {
            throw Violation(code: .dataInconsistentWithMessage, reason: "a message is not valid base 64")
        }
        complete = ByteBuffer(bytes: bytes)
        return event(complete, frame)
    }

    private func event(_ bytes: ByteBuffer, _ frame: WebSocketFrame) -> Event {
        bytes.readableBytes == 0 && !frame.fin ? .nothing : .typed(bytes)
    }

    /// The length of the part of an incomplete text that does not end inside a character or a base 64 quantum. The last
    /// quantum waits, because it may be the message's last one, with padding.
    private func completeLength(of text: ByteBuffer) -> Int {
        let bytes = text.readableBytesView
        guard framing != .base64 else {
            return max(0, (bytes.count - 1) / 4 * 4)
        }
        // A character has at most three bytes behind its first one.
        for (count, byte) in bytes.reversed().prefix(4).enumerated() where byte & 0xc0 != 0x80 {
            let length = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
            return bytes.count - (length > count + 1 ? count + 1 : 0)
        }
        return bytes.count
    }

    /// A close frame is empty, or holds a valid code (section 7.4) and a UTF-8 reason.
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
