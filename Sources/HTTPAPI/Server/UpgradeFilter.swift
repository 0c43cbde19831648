// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// The session of a connection's WebSocket, or why it is refused; nil before a handshake was read.
typealias AcceptedUpgrade = NIOLockedValueBox<Result<WebSocketSession, APIError>?>

/// Passes an upgrade request only when it is a valid opening handshake of a WebSocket for a route that accepts one, and
/// admits it. Any other becomes a plain HTTP request, in which `Upgrade` is ignored (RFC 9110, section 7.8).
final class UpgradeFilter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// The outcome of the handshake.
    let accepted = AcceptedUpgrade(nil)
    private let admission: Admission
    private let origin: RequestOrigin

    init(_ admission: Admission, _ origin: RequestOrigin) {
        self.admission = admission
        self.origin = origin
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = Self.unwrapInboundIn(data), head.headers.contains(name: "Upgrade") else {
            context.fireChannelRead(data)
            return
        }
        let session = session(head)
        accepted.withLockedValue { $0 = session }
        if session == nil {
            head.headers.remove(name: "Upgrade")
        }
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
    }

    private func session(_ head: HTTPRequestHead) -> Result<WebSocketSession, APIError>? {
        guard (try? WebSocketHandshake.check(head)) != nil, admission.isForWebSocket(head) else {
            return nil
        }
        let admitted = admission.admit(head, from: origin)
        guard case .webSocket(let accept)? = admitted.route?.handler else {
            return nil
        }
        return Result { () throws(APIError) in try accept(try admitted.call.get()) }
    }
}
