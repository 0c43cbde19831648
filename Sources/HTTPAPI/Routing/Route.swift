// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1

/// A request that the API answers: its method and path, who may use it, and its handler.
struct Route: Sendable {
    /// GET stands for HEAD too.
    let method: HTTPMethod
    let path: RoutePath
    let permission: Permission
    /// The parameters that it has; nil: others are ignored, as the API that it serves does.
    let parameters: RouteParameters?
    /// Maximum size of the request's body, in bytes.
    let bodyLimit: Int
    let handler: Handler

    enum Handler: Sendable {
        /// Returns the response. It runs on the cooperative thread pool: for what waits for files there is
        /// `Call.read`, for what waits for the daemon's threads `APIContext.control`.
        case answer(@Sendable (Call) async throws -> Response)
        /// Accepts a WebSocket. It runs on the connection's event loop and must not wait.
        case webSocket(@Sendable (Call) throws(APIError) -> WebSocketSession)
    }

    /// The size of the largest body that most routes need, in bytes.
    static let defaultBody = 64 << 10

    init(
        _ method: HTTPMethod,
        _ path: RoutePath,
        for permission: Permission,
        parameters: RouteParameters? = nil,
        bodyLimit: Int = defaultBody,
        _ answer: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.permission = permission
        self.parameters = parameters
        self.bodyLimit = bodyLimit
        handler = .answer(answer)
    }

    init(
        webSocket path: RoutePath,
        for permission: Permission,
        parameters: RouteParameters? = nil,
        _ accept: @escaping @Sendable (Call) throws(APIError) -> WebSocketSession
    ) {
        method = .GET
        self.path = path
        self.permission = permission
        self.parameters = parameters
        bodyLimit = 0
        handler = .webSocket(accept)
    }

    /// Throws `APIError` 400 for a parameter that the route does not have, or that is given twice and has one value:
    /// ignoring one would do something else than was asked for.
    func checkParameters(of target: RequestTarget) throws(APIError) {
        guard let parameters else {
            return
        }
        for (name, values) in target.parameters.sorted(by: { $0.key < $1.key }) {
            guard parameters.names.contains(name) else {
                let known = parameters.names.sorted().joined(separator: ", ")
                throw .badRequest(
                    "unknown parameter \(name.prefix(100)) of \(method) \(path.text); "
                        + (known.isEmpty ? "it has no parameters" : "its parameters are \(known)")
                )
            }
            guard values.count == 1 || parameters.lists.contains(name) else {
                throw .badRequest("the parameter \(name) of \(method) \(path.text) is given twice: it has one value")
            }
        }
    }
}

/// The names of a route's parameters.
struct RouteParameters: Hashable, Sendable, ExpressibleByArrayLiteral {
    /// All.
    let names: Set<String>
    /// Those that may be given several times.
    let lists: Set<String>

    init(_ names: Set<String>, lists: Set<String> = []) {
        self.names = names.union(lists)
        self.lists = lists
    }

    init(arrayLiteral names: String...) {
        self.init(Set(names))
    }
}

/// The callers that a route admits.
enum Permission: Hashable, Sendable {
    /// Everyone: callers are not authenticated.
    case everyone
    /// Every authenticated caller; the handler requires a scope that depends on the request.
    case callers
    /// Callers with that scope, on the VMs that they have access to.
    case scope(Access.Scope)
    /// Callers with that scope on all VMs: the route shows or changes what concerns all of them.
    case scopeOnAllVMs(Access.Scope)
    /// Processes of this host, over the Unix socket.
    case thisHost
    /// Root and the daemon's own user, over the Unix socket.
    case daemonsOwn

    /// Throws `APIError` 403 unless `caller` has the permission.
    func check(_ caller: Caller) throws(APIError) {
        switch self {
        case .everyone, .callers:
            break
        case .scope(let scope):
            try caller.require(scope)
        case .scopeOnAllVMs(let scope):
            try caller.require(scope)
            guard caller.access.vms == .all else {
                throw APIError(403, "\(caller.name) has access to some VMs only; this concerns all VMs")
            }
        case .thisHost:
            guard caller.isLocal else {
                throw APIError(403, "this is allowed over the Unix socket only")
            }
        case .daemonsOwn:
            guard caller.isDaemonsOwn else {
                throw APIError(403, "this is allowed for root and the daemon's own user only, over the Unix socket")
            }
        }
    }
}
