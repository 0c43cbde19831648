// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import LogModel
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// A client's request for a console session over a WebSocket.
struct ConsoleSessionRequest: Sendable {
    /// The encoding of the console's bytes in frames.
    enum Framing: String, Sendable {
        /// Binary frames.
        case binary
        /// Base 64 (RFC 4648, section 4) in text frames, for clients without support for binary frames.
        case base64
    }

    /// The VM, as the request names it.
    let vm: String
    /// The stream's name; nil: the first console.
    var stream: String?
    /// The role, as the request names it.
    var mode: String?
    /// Whether the request is refused when input would not reach the guest, and closing is acknowledged only after all
    /// input was passed to the console.
    var isStrict = false
    var framing = Framing.binary
    /// Whether the client takes text frames for notices. Clients of OpenStack take them for the console's output.
    var takesNotices = true
    /// The offered subprotocol that is accepted (RFC 6455, section 1.9).
    var subprotocol: Framing?

    /// The parameters of the console route.
    static let parameters: RouteParameters = ["stream", "mode", "strict"]

    /// The request in the console route's path and parameters. Throws `APIError` 400 for a wrong value of `strict`.
    init(of vm: String, _ target: RequestTarget) throws(APIError) {
        self.vm = vm
        stream = target["stream"]
        mode = target["mode"]
        isStrict = try target.flag("strict") ?? false
    }

    /// The request of a client that presents `token` and offers these subprotocols. Several may present the same token,
    /// and each reconnects by itself: by default none takes the right to write from one that is there.
    init(_ token: ConsoleToken, _ target: RequestTarget, offered: [String]) {
        vm = token.vm
        mode = target["mode"]
        takesNotices = false
        subprotocol = [Framing.binary, .base64].first { offered.contains($0.rawValue) }
        framing = subprotocol ?? .binary
    }

    /// Header fields of the handshake's response.
    var upgradeHeaders: HTTPHeaders {
        HTTPHeaders(subprotocol.map { [("Sec-WebSocket-Protocol", $0.rawValue)] } ?? [])
    }

    var role: WatcherRole {
        get throws(APIError) {
            switch mode ?? "write" {
            case "watch": .watch
            case "write": .write
            case "steal": .steal
            case let other: throw APIError.badRequest("mode=\(other): must be watch, write or steal")
            }
        }
    }
}

extension ConsoleSessionRequest.Framing {
    /// A frame with the console's bytes.
    func frame(_ bytes: ByteBuffer) -> WebSocketFrame {
        switch self {
        case .binary:
            return WebSocketFrame(fin: true, opcode: .binary, data: bytes)
        case .base64:
            var text: [UInt8] = []
            bytes.withUnsafeReadableBytes { Base64.append($0, to: &text) }
            return WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: text))
        }
    }

    /// The bytes in a client's frame; nil when they are not valid base 64.
    func bytes(of frame: WebSocketFrame) -> ByteBuffer? {
        switch self {
        case .binary: frame.unmaskedData
        case .base64: Base64.decode(frame.unmaskedData.readableBytesView).map { ByteBuffer(bytes: $0) }
        }
    }
}
