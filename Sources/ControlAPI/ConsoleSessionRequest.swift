import ConsoleHub
import LogModel
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Somebody who comes to a console over a WebSocket.
struct ConsoleSessionRequest: Sendable {
    /// What a frame holds.
    enum Framing: String, Sendable {
        /// The console's bytes.
        case binary
        /// Those bytes in base 64 (RFC 4648, section 4), in text frames: for clients that know no binary ones.
        case base64
    }

    /// The VM, in a word as a request names it.
    let vm: String
    /// The stream's name; nil: the first console's.
    var stream: String?
    /// What they want to do there, as a request says it.
    var mode: String?
    /// Whether it is refused rather than let in where what it types would not reach the guest; and told, when it
    /// leaves, once all of that was handed to the console.
    var isStrict = false
    /// Who it is.
    let client: ClientIdentity
    /// What the frames hold.
    var framing = Framing.binary
    /// The subprotocol they offered that this answers to (RFC 6455, section 1.9).
    var subprotocol: Framing?

    /// Who visits.
    enum ClientIdentity: Sendable {
        /// A process of this host, which the kernel can name.
        case local
        case known(Caller)
    }

    /// A visit that the route of a console asks for.
    init(of vm: String, _ target: RequestTarget, by client: ClientIdentity) {
        self.vm = vm
        stream = target["stream"]
        mode = target["mode"]
        isStrict = target.flag("strict")
        self.client = client
    }

    /// A visit to what `token` has been given for, by a client that offers these subprotocols. Such a client cannot say
    /// what it wants to do, and may be the second of one whose first was cut off and lingers: it writes.
    init(_ token: ConsoleToken, offered: [String]) {
        vm = token.vm
        mode = "steal"
        client = .known(token.caller)
        subprotocol = [Framing.binary, .base64].first { offered.contains($0.rawValue) }
        framing = subprotocol ?? .binary
    }

    /// What is answered to a request for an upgrade.
    var upgradeHeaders: HTTPHeaders {
        HTTPHeaders(subprotocol.map { [("Sec-WebSocket-Protocol", $0.rawValue)] } ?? [])
    }

    /// What they want to do, in the hub's terms.
    var role: WatcherRole {
        get throws(APIError) {
            switch mode ?? "write" {
            case "watch": .watch
            case "write": .write
            case "steal": .steal
            case let other: throw APIError.badRequest("mode=\(other): watch, write or steal was expected")
            }
        }
    }
}

extension ConsoleSessionRequest.Framing {
    /// A frame of the console's bytes.
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

    /// The bytes that a frame from the other side holds; nil when they are not in base 64 as they should be.
    func bytes(of frame: WebSocketFrame) -> ByteBuffer? {
        switch self {
        case .binary: frame.unmaskedData
        case .base64: Base64.decode(frame.unmaskedData.readableBytesView).map { ByteBuffer(bytes: $0) }
        }
    }
}
