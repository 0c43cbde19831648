import LogModel
import NIOHTTP1

/// The part of OpenStack's Compute API (API reference "Compute", v2.1) that is about consoles, as its clients expect it:
/// a server's console output and its serial console, and enough of servers to find one.
struct NovaAPI {
    let server: ControlServer

    /// What a request is to be understood by.
    struct Call {
        let request: ControlServer.Request
        let target: RequestTarget
        let version: NovaVersion
        let caller: Caller

        var id: String { target.components[1] }

        /// The body, which must be an object.
        func body() throws(APIError) -> JSON {
            guard let json = try? JSON(parsing: request.body), case .object = json else {
                throw .badRequest("Malformed request body")
            }
            return json
        }
    }

    /// Where a serial console is joined, by the address that `remote-consoles` gives.
    static let serialPath = ["serial"]

    /// The answer; nil when the address is none of this API's.
    func answer(_ request: ControlServer.Request, _ target: RequestTarget) async -> Answer? {
        guard
            target.components.isEmpty || target.components.first == NovaVersion.path
                || target.components == Self.serialPath
        else {
            return nil
        }
        do {
            let version = try NovaVersion(request.head.headers)
            var answer = Answer(try await answer(request, target, version))
            answer.headers = version.headers
            return answer
        } catch {
            return fault(ControlServer.apiError(error))
        }
    }

    private func answer(
        _ request: ControlServer.Request,
        _ target: RequestTarget,
        _ version: NovaVersion
    ) async throws -> JSON {
        if target.components == Self.serialPath {
            throw APIError(426, "the console of \(try grant(target).vm) is a WebSocket: ask for an upgrade")
        }
        let base = Self.base(of: request)
        var path = Array(target.components.dropFirst())
        // Clients set up from a Keystone catalogue put the project there.
        if let first = path.first, VMIdentity.canonicalUUID(first) != nil {
            path.removeFirst()
        }
        // Which versions there are, anybody may know.
        if path.isEmpty {
            return target.components.isEmpty ? NovaVersion.all(base) : NovaVersion.document(base)
        }
        let call = Call(
            request: request,
            target: RequestTarget(path, target.parameters),
            version: version,
            caller: try server.caller(of: request)
        )
        switch (request.head.method, path.count, path[0], path.count > 2 ? path[2] : "") {
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
        let scheme = if case .network(let door) = request.door { door.scheme } else { "http" }
        return scheme + "://" + (request.head.headers.first(name: "Host") ?? "localhost")
    }

    // MARK: - Faults

    /// What each status is called in a body.
    private static let faults = [
        400: "badRequest", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
        413: "overLimit",
    ]

    private func fault(_ error: APIError) -> Answer {
        let words: [(String, JSON)] = [("code", .integer(Int64(error.status))), ("message", .string(error.message))]
        guard error.status != 401 else {
            // As the middleware before nova answers.
            var answer = Answer(
                .object([("error", .object(words + [("title", .string("Unauthorized"))]))]),
                status: 401
            )
            answer.headers = [("WWW-Authenticate", "Bearer realm=\"guestlog\"")]
            return answer
        }
        return Answer(.object([(Self.faults[error.status] ?? "computeFault", .object(words))]), status: error.status)
    }
}
