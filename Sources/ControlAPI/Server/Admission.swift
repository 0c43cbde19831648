import Glibc
import NIOCore
import NIOHTTP1
import SystemIO

/// Who comes, and whether they may do what they ask for.
extension ControlServer {
    /// One request, with all that tells who asks.
    struct Request {
        let head: HTTPRequestHead
        let body: [UInt8]
        let listener: Listener
        let peer: PeerCredentials?
        let channel: any Channel
        /// Completes when the client has left, or closed its half of the connection.
        let hasLeft: EventLoopFuture<Void>

        /// The method; HEAD is a GET whose answer has no body.
        var method: HTTPMethod { head.method == .HEAD ? .GET : head.method }
        var target: RequestTarget? { RequestTarget(head.uri) }

        func checkOrigin() throws(APIError) {
            if case .network(let listener) = listener {
                try listener.checkOrigin(head.headers)
            }
        }
    }

    /// Who asks.
    func caller(of request: Request) throws(APIError) -> Caller {
        switch request.listener {
        case .local: try localCaller(request.peer)
        case .network(let listener):
            try listener.caller(request.head.headers, from: request.channel.remoteAddress, tokens: tokens, now: now)
        }
    }

    /// Who has come by the Unix socket.
    func localCaller(_ peer: PeerCredentials?) throws(APIError) -> Caller {
        guard servesItself || peer?.process != getpid() else {
            throw APIError(403, "the API's own socket is no console")
        }
        return Caller(peer)
    }

    /// Refuses what is not theirs to ask.
    func check(_ caller: Caller, _ route: Route, _ target: RequestTarget) throws(APIError) {
        guard !route.isDaemonsOwn || caller.isDaemonsOwn else {
            throw APIError(403, "this is for root and the daemon's own user, over the Unix socket")
        }
        guard let scope = route.scope else {
            guard caller.isLocal else {
                throw APIError(403, "this is done on the host itself, over the Unix socket")
            }
            return
        }
        // To watch is to read what comes.
        if case .console = route, target["mode"] == "watch", caller.access.permits(.read) {
            return
        }
        try caller.require(scope)
    }

    /// The consoleSession that a request for an upgrade asks for.
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
            throw .badRequest("\(target.text) is no console")
        }
        guard case .network = listener else {
            return ConsoleSessionRequest(of: vm, target, by: .local)
        }
        let caller = try caller(of: request)
        try check(caller, route, target)
        return ConsoleSessionRequest(of: vm, target, by: .known(caller))
    }
}
