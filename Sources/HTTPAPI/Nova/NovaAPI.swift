// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1

/// The part of OpenStack's Compute API (API reference "Compute", v2.1) that concerns consoles: a server's console
/// output, its serial console, and the queries that clients need to find a server.
struct NovaAPI: Sendable {
    let context: APIContext
    let options: NovaOptions

    /// The path of serial consoles, as `remote-consoles` returns it.
    static let serialPath = "serial"

    var group: RouteGroup {
        // Clients configured from a Keystone catalogue put the project id before the resource.
        let bases = ["/\(NovaVersion.path)", "/\(NovaVersion.path)/{project}"]
        return RouteGroup(
            prefixes: ["", NovaVersion.path, Self.serialPath],
            routes: [document("/") { NovaVersion.all($0) }] + bases.flatMap(resources) + [
                Route(webSocket: "/\(Self.serialPath)", for: .everyone, console)
            ],
            unknownPath: { _ in .notFound("The resource could not be found.") },
            errorResponse: Self.fault
        )
    }

    private func resources(below base: String) -> [Route] {
        [
            resource(.GET, "\(base)/servers") { try await list($0, isDetailed: false) },
            resource(.GET, "\(base)/servers/detail") { try await list($0, isDetailed: true) },
            resource(.GET, "\(base)/servers/{id}", show),
            Route(.POST, "\(base)/servers/{id}/action", for: .callers) { try await act(NovaCall($0)) },
            resource(.POST, "\(base)/servers/{id}/remote-consoles", remoteConsole),
            resource(.GET, "\(base)/os-console-auth-tokens/{id}", consoleOfToken),
            document("\(base)") { NovaVersion.document($0) },
        ]
    }

    /// The route of a document about versions, which everyone may read.
    private func document(_ path: RoutePath, _ document: @escaping @Sendable (_ base: String) -> JSON) -> Route {
        Route(.GET, path, for: .everyone) { call in
            let call = try NovaCall(call)
            return call.response(document(call.baseURL))
        }
    }

    private func resource(
        _ method: HTTPMethod,
        _ path: RoutePath,
        _ answer: @escaping @Sendable (NovaCall) async throws -> JSON
    ) -> Route {
        Route(method, path, for: .callers) { call in
            let call = try NovaCall(call)
            return call.response(try await answer(call))
        }
    }

    // MARK: - Faults

    /// The name of each status in a fault's body.
    private static let faults = [
        400: "badRequest", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
        413: "overLimit", 429: "overLimit",
    ]

    /// An error in nova's format.
    private static func fault(_ error: APIError) -> Response {
        let words: [(String, JSON)] = [("code", .integer(Int64(error.status))), ("message", .string(error.message))]
        guard error.status != 401 else {
            // As the middleware in front of nova answers.
            let body = JSON.object([("error", .object(words + [("title", .string("Unauthorized"))]))])
            return Response(body, status: 401, headers: error.headers)
        }
        let body = JSON.object([(faults[error.status] ?? "computeFault", .object(words))])
        return Response(body, status: error.status, headers: error.headers)
    }
}

/// A request of the Compute API.
struct NovaCall: Sendable {
    private let call: Call
    let version: NovaVersion

    /// Throws `APIError` 400 or 406 for a version that is malformed or not supported, 404 for a malformed project id.
    init(_ call: Call) throws(APIError) {
        version = try NovaVersion(call.head.headers)
        self.call = call
        // Nova's own rule is api.project_id_regex, which also admits the ids of older clouds.
        if let project = call.values["project"], project.wholeMatch(of: /[0-9A-Fa-f-]+/) == nil {
            throw .notFound("The resource could not be found.")
        }
    }

    /// The id in the path.
    var id: String { call.value("id") }
    var target: RequestTarget { call.target }
    var caller: Caller { call.caller }
    /// The URL of this server as the client has reached it.
    var baseURL: String { call.baseURL }

    /// The body, which must be an object.
    func body() throws(APIError) -> JSON {
        guard let json = try? JSON(body: call.body), case .object = json else {
            throw .badRequest("Malformed request body")
        }
        return json
    }

    func response(_ json: JSON, lease: ReadingLease? = nil) -> Response {
        Response(json, headers: version.headers, lease: lease)
    }

    /// Reads files for the call.
    func read<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await call.read(body)
    }
}
