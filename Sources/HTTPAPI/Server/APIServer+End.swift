// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOWebSocket

extension APIServer {
    /// Tells the clients of WebSockets that the daemon ends, by a close frame (RFC 6455, section 5.5.1); `isReplaced`:
    /// that another one goes on at once. To be called before the servers are cancelled: a cancelled task cannot write.
    public func announceEnd(isReplaced: Bool) {
        let reason = isReplaced ? "guestlog is being replaced; connect again" : "guestlog is stopping"
        var data = ByteBuffer()
        data.write(webSocketErrorCode: isReplaced ? .serviceRestart : .goingAway)
        data.writeString(reason)
        // The last frame of its message, without a mask; the opcode of a close frame is 8.
        var frame = ByteBuffer(bytes: [0x88, UInt8(data.readableBytes)])
        frame.writeBuffer(&data)
        context.sessions.writeEnd(frame)
    }
}

extension WebSocketErrorCode {
    /// The service is restarting (1012 in IANA's registry).
    static var serviceRestart: WebSocketErrorCode { .unknown(1012) }
}
