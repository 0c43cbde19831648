// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1

/// A request of a web page of another origin that the listener allows (CORS: Fetch, section "HTTP CORS protocol").
/// Without its answers a browser neither sends a request with a token, nor shows the page the response.
struct CrossOrigin: Sendable {
    /// Header fields of each response.
    let fields: [(String, String)]
    /// The response, if the request is a browser's question whether it may send another; it has no token.
    let preflight: Response?

    private static let methods = "GET, HEAD, POST, DELETE"
    private static let requestFields =
        "Authorization, X-Auth-Token, Content-Type, OpenStack-API-Version, X-OpenStack-Nova-API-Version"
    private static let responseFields = "WWW-Authenticate, OpenStack-API-Version, X-OpenStack-Nova-API-Version"
    /// How long a browser need not ask again, in seconds.
    private static let age = "600"

    /// Nil for a request that is not of a page of one of the listener's `origins`.
    init?(_ head: HTTPRequestHead, by listener: Listener) {
        guard case .network(let listener) = listener, let origin = head.headers.first(name: "Origin"),
            listener.origins.contains(origin), (try? listener.checkOrigin(head.headers)) != nil
        else {
            return nil
        }
        fields = [
            ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", Self.responseFields),
            ("Vary", "Origin"),
        ]
        guard head.method == .OPTIONS, head.headers.contains(name: "Access-Control-Request-Method") else {
            preflight = nil
            return
        }
        let permissions = [
            ("Access-Control-Allow-Methods", Self.methods), ("Access-Control-Allow-Headers", Self.requestFields),
            ("Access-Control-Max-Age", Self.age),
        ]
        preflight = Response(.object([]), headers: permissions)
    }
}
