import LogModel
import NIOCore
import NIOHTTP1

/// The part of OpenStack's Compute API (API reference "Compute", v2.1) that is about consoles, as its clients expect it:
/// a server's console output and its serial console, and enough of servers to find one.
struct NovaAPI {
    let server: ControlServer

    /// What a request is to be understood by.
    struct Call {
        let server: ControlServer
        let request: ControlServer.Request
        let target: RequestTarget
        let version: NovaVersion
        let caller: Caller

        var id: String { target.components[1] }

        /// Reads files for the call.
        func read<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
            try await server.reader(for: caller, request.channel).read(body)
        }

        /// The body, which must be an object.
        func body() throws(APIError) -> JSON {
            guard let json = try? JSON(body: request.body), case .object = json else {
                throw .badRequest("Malformed request body")
            }
            return json
        }
    }

    /// Where a serial console is joined, by the address that `remote-consoles` gives.
    static let serialPath = ["serial"]

    /// Whether the address is one of this API's.
    static func serves(_ target: RequestTarget) -> Bool {
        target.components.isEmpty || target.components.first == NovaVersion.path || target.components == serialPath
    }

    /// Answers a request, or says in nova's form why not.
    func respond(to request: ControlServer.Request, _ target: RequestTarget, in exchange: Exchange) async throws {
        do {
            try await answer(request, target, in: exchange)
        } catch let error as ChannelError {
            throw error
        } catch {
            try await exchange.write(fault(ControlServer.apiError(error)))
        }
    }

    private func answer(
        _ request: ControlServer.Request,
        _ target: RequestTarget,
        in exchange: Exchange
    ) async throws {
        let version = try NovaVersion(request.head.headers)
        func write(_ json: JSON) async throws {
            var answer = Answer(json)
            answer.headers = version.headers
            try await exchange.write(answer)
        }
        if target.components == Self.serialPath {
            let vm = try consoleToken(target).vm
            try WebSocketHandshake.check(request.head)
            throw APIError.upgradeRequired(
                "the console of \(vm) is a WebSocket: ask for it in a connection's first request"
            )
        }
        let base = Self.base(of: request)
        var path = Array(target.components.dropFirst())
        // Clients set up from a Keystone catalogue put the project there.
        if let first = path.first, VMIdentity.canonicalUUID(first) != nil {
            path.removeFirst()
        }
        // Which versions there are, anybody may know.
        guard let resource = path.first else {
            try await write(target.components.isEmpty ? NovaVersion.all(base) : NovaVersion.document(base))
            return
        }
        let call = Call(
            server: server,
            request: request,
            target: RequestTarget(path, target.parameters),
            version: version,
            caller: try server.caller(of: request)
        )
        try await exchange.session(of: call.caller) {
            // What is about one server may be all of its console's output.
            let read: Set<String> = resource == "servers" && path.count == 3 ? [call.id] : []
            try await server.sessions.reading(read, for: call.caller) {
                try await write(try await answer(call, base))
            }
        }
    }

    private func answer(_ call: Call, _ base: String) async throws -> JSON {
        let (path, version) = (call.target.components, call.version)
        switch (call.request.method, path.count, path[0], path.count > 2 ? path[2] : "") {
        case (.GET, 1, "servers", _): return try await list(call, base, isDetailed: false)
        case (.GET, 2, "servers", _) where path[1] == "detail": return try await list(call, base, isDetailed: true)
        case (.GET, 2, "servers", _): return try await show(call, base)
        case (.POST, 3, "servers", "action"): return try await act(call)
        case (.POST, 3, "servers", "remote-consoles") where version >= .remoteConsoles:
            return try await remoteConsole(call)
        case (.GET, 2, "os-console-auth-tokens", _): return try await consoleOfToken(call)
        default: throw APIError.notFound("The resource could not be found.")
        }
    }

    /// Where the client has reached us: `https://host:port`.
    static func base(of request: ControlServer.Request) -> String {
        let scheme = if case .network(let listener) = request.listener { listener.scheme } else { "http" }
        return scheme + "://" + (request.head.headers.first(name: "Host") ?? "localhost")
    }

    // MARK: - Faults

    /// What each status is called in a body.
    private static let faults = [
        400: "badRequest", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
        413: "overLimit", 429: "overLimit",
    ]

    private func fault(_ error: APIError) -> Answer {
        let words: [(String, JSON)] = [("code", .integer(Int64(error.status))), ("message", .string(error.message))]
        guard error.status != 401 else {
            // As the middleware before nova answers.
            var answer = Answer(
                .object([("error", .object(words + [("title", .string("Unauthorized"))]))]),
                status: 401
            )
            answer.headers = error.headers
            return answer
        }
        var answer = Answer(
            .object([(Self.faults[error.status] ?? "computeFault", .object(words))]),
            status: error.status
        )
        answer.headers = error.headers
        return answer
    }
}
