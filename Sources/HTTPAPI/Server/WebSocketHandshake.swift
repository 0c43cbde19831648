// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1

/// A client's opening handshake of a WebSocket (RFC 6455, section 4.2.1).
enum WebSocketHandshake {
    private static let version = "13"

    /// Throws `APIError` 400 or 426 unless `head` is a valid opening handshake.
    static func check(_ head: HTTPRequestHead) throws(APIError) {
        let hasBody =
            head.headers.contains(name: "Transfer-Encoding")
            || head.headers.first(name: "Content-Length").map { $0 != "0" } ?? false
        guard head.method == .GET, head.isHTTP11, !hasBody else {
            throw .badRequest("a WebSocket handshake must be an HTTP/1.1 GET without a body")
        }
        // A request that UpgradeFilter downgraded has no Upgrade field: its other faults are reported first.
        let (versions, keys) = (head.headers["Sec-WebSocket-Version"], head.headers["Sec-WebSocket-Key"])
        guard !versions.isEmpty || !keys.isEmpty else {
            throw notAsked
        }
        guard versions == [version] else {
            throw .upgradeRequired("Sec-WebSocket-Version must be \(version)")
        }
        guard keys.count == 1, Base64.decode(Array(keys[0].utf8))?.count == 16 else {
            throw .badRequest("Sec-WebSocket-Key must be present once, 16 bytes in base 64")
        }
        guard lists(head, "Upgrade", "websocket"), lists(head, "Connection", "upgrade") else {
            throw notAsked
        }
    }

    private static let notAsked = APIError.upgradeRequired(
        "this is a WebSocket: send Upgrade: websocket and Connection: Upgrade, in a connection's first request"
    )

    private static func lists(_ head: HTTPRequestHead, _ name: String, _ word: String) -> Bool {
        head.headers[canonicalForm: name].contains { $0.lowercased() == word }
    }
}

extension APIError {
    /// 426, with the header fields that name the protocol to upgrade to.
    static func upgradeRequired(_ message: String) -> APIError {
        var error = APIError(426, message)
        error.headers = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ]
        return error
    }
}
