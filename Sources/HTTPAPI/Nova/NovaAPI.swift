// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1

/// The part of OpenStack's Compute API (API reference "Compute", v2.1) that concerns consoles: a server's console
/// output, its serial console, and the queries that clients need to find a server.
struct NovaAPI {
    let server: APIServer

    struct Call {
        let server: APIServer
        let request: APIServer.Request
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

    /// The path of serial consoles, as `remote-consoles` returns it.
    static let serialPath = ["serial"]

    /// Whether the path belongs to this API.
    static func serves(_ target: RequestTarget) -> Bool {
        target.components.isEmpty || target.components.first == NovaVersion.path || target.components == serialPath
    }

    /// Answers a request; errors are reported in nova's format.
    func respond(to request: APIServer.Request, _ target: RequestTarget, in exchange: Exchange) async throws {
        do {
            try await answer(request, target, in: exchange)
        } catch let error as ChannelError {
            throw error
        } catch {
            try await exchange.write(fault(APIServer.apiError(error)))
        }
    }

    private func answer(
        _ request: APIServer.Request,
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
                "the console of \(vm) is a WebSocket: request the upgrade in a connection's first request"
            )
        }
        let base = Self.base(of: request)
        var path = Array(target.components.dropFirst())
        // Clients configured from a Keystone catalogue put the project id there.
        if let first = path.first, VMIdentity.canonicalUUID(first) != nil {
            path.removeFirst()
        }
        // The versions are public.
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
            // A request for one server may read its whole console output.
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

    /// The base URL by which the client has reached this server: `https://host:port`.
    static func base(of request: APIServer.Request) -> String {
        let scheme = if case .network(let listener) = request.listener { listener.scheme } else { "http" }
        return scheme + "://" + (request.head.headers.first(name: "Host") ?? "localhost")
    }

    // MARK: - Faults

    /// The name of each status in a fault's body.
    private static let faults = [
        400: "badRequest", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
        413: "overLimit", 429: "overLimit",
    ]

    private func fault(_ error: APIError) -> Answer {
        let words: [(String, JSON)] = [("code", .integer(Int64(error.status))), ("message", .string(error.message))]
        guard error.status != 401 else {
            // As the middleware in front of nova answers.
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
