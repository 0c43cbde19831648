// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOHTTP1
import SystemIO

/// Authentication and authorization.
extension APIServer {
    /// A request and its origin.
    struct Request {
        let head: HTTPRequestHead
        let body: [UInt8]
        let listener: Listener
        let peer: PeerCredentials?
        let channel: any Channel
        /// Completes when the client has closed the connection, or its half of it.
        let hasLeft: EventLoopFuture<Void>

        /// The method; HEAD is a GET without a body in the response.
        var method: HTTPMethod { head.method == .HEAD ? .GET : head.method }
        var target: RequestTarget? { RequestTarget(head.uri) }

        func checkOrigin() throws(APIError) {
            if case .network(let listener) = listener {
                try listener.checkOrigin(head.headers)
            }
        }
    }

    /// The sender of a request.
    func caller(of request: Request) throws(APIError) -> Caller {
        switch request.listener {
        case .local: try localCaller(request.peer)
        case .network(let listener):
            try listener.caller(request.head.headers, from: request.channel.remoteAddress, tokens: tokens, now: now)
        }
    }

    /// The caller at the other end of the Unix socket.
    func localCaller(_ peer: PeerCredentials?) throws(APIError) -> Caller {
        guard servesItself || peer?.process != getpid() else {
            throw APIError(403, "the API's own socket cannot be captured as a console")
        }
        return Caller(peer)
    }

    /// Throws `APIError` 403 unless the caller may use the route.
    func check(_ caller: Caller, _ route: Route, _ target: RequestTarget) throws(APIError) {
        guard !route.isDaemonsOwn || caller.isDaemonsOwn else {
            throw APIError(403, "this is allowed for root and the daemon's own user only, over the Unix socket")
        }
        guard let scope = route.scope else {
            guard caller.isLocal else {
                throw APIError(403, "this is allowed over the Unix socket only")
            }
            return
        }
        // Watching a console is reading.
        if case .console = route, target["mode"] == "watch", caller.access.permits(.read) {
            return
        }
        try caller.require(scope)
    }

    /// The console session that an upgrade request asks for.
    func consoleSession(_ head: HTTPRequestHead, by listener: Listener, from channel: any Channel) throws(APIError)
        -> ConsoleSessionRequest
    {
        let request = Request(
            head: head,
            body: [],
            listener: listener,
            peer: nil,
            channel: channel,
            hasLeft: channel.closeFuture
        )
        guard let target = request.target else {
            throw .badRequest("the request target has malformed percent-encoding")
        }
        try request.checkOrigin()
        if target.components == NovaAPI.serialPath {
            return try NovaAPI(server: self).consoleSession(target, head.headers)
        }
        let route = try Route(.GET, target)
        guard case .console(let vm) = route else {
            throw .badRequest("\(target.text) is not a console")
        }
        guard case .network = listener else {
            return ConsoleSessionRequest(of: vm, target, by: .local)
        }
        let caller = try caller(of: request)
        try check(caller, route, target)
        return ConsoleSessionRequest(of: vm, target, by: .known(caller))
    }
}
