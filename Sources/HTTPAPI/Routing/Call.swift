// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import SystemIO

/// The connection on which a request arrived.
struct RequestOrigin: Sendable {
    let listener: Listener
    /// The process at the other end of a Unix socket, where the kernel reports it.
    let peer: PeerCredentials?
    let channel: any Channel
    /// Completes when the client has closed the connection, or its half of it.
    let hasLeft: EventLoopFuture<Void>

    /// The base URL by which the client has reached this server, such as `https://host:port`.
    func baseURL(_ headers: HTTPHeaders) -> String {
        let scheme = if case .network(let listener) = listener { listener.scheme } else { "http" }
        return scheme + "://" + (headers.first(name: "Host") ?? "localhost")
    }
}

/// A request that was routed and authenticated, as its handler gets it.
struct Call: Sendable {
    let head: HTTPRequestHead
    let target: RequestTarget
    /// The named components of the path (`RoutePath`).
    let values: [String: String]
    let caller: Caller
    let origin: RequestOrigin
    let reader: RequestReader
    var body: [UInt8] = []

    /// The value of the path's component `name`; empty when the route's path has no such component.
    func value(_ name: String) -> String { values[name] ?? "" }

    /// Runs `body` on a thread that may wait for files, when it is the caller's turn, unless the client leaves before.
    func read<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await reader.read(body)
    }

    /// The URL of this server as the client has reached it.
    var baseURL: String { origin.baseURL(head.headers) }
}
