// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

/// Routes with a common form of errors.
struct RouteGroup: Sendable {
    /// The first components of the group's paths; an empty one is the path `/`.
    let prefixes: Set<String>
    /// Of routes with the same path and method the first one answers.
    let routes: [Route]
    /// The error for a path that no route has.
    var unknownPath: @Sendable (RequestTarget) -> APIError = { target in
        .notFound("unknown path \(target.path); see docs/openapi.yaml")
    }
    /// The response that reports an error.
    var errorResponse: @Sendable (APIError) -> Response = { Response($0) }
}

/// Finds the route of a request.
struct Router: Sendable {
    private let groups: [RouteGroup]
    /// Reports errors of paths that belong to no group.
    private let fallback: RouteGroup

    /// A router of `groups`.
    init(_ groups: [RouteGroup]) {
        self.groups = groups
        let prefixes = groups.flatMap(\.prefixes).filter { !$0.isEmpty }.sorted().map { "/" + $0 }
        fallback = RouteGroup(
            prefixes: [],
            routes: [],
            unknownPath: { target in
                .notFound("unknown path \(target.path); paths begin with \(prefixes.joined(separator: ", "))")
            }
        )
    }

    /// The route of a request and the named values in its path. Throws `APIError` 404 or 405.
    func match(_ method: HTTPMethod, _ target: RequestTarget) throws(APIError) -> (Route, values: [String: String]) {
        let group = group(of: target)
        let matches = group.routes.compactMap { route in
            route.path.values(in: target.components).map { (route, values: $0) }
        }
        guard !matches.isEmpty else {
            throw group.unknownPath(target)
        }
        guard let match = matches.first(where: { $0.0.method == method }) else {
            var methods = Set(matches.map(\.0.method.rawValue))
            if methods.contains("GET") {
                methods.insert("HEAD")
            }
            let allowed = methods.sorted().joined(separator: ", ")
            var error = APIError(405, "\(method.rawValue) is not allowed for \(target.path); use \(allowed)")
            // RFC 9110, section 15.5.6.
            error.headers = [("Allow", allowed)]
            throw error
        }
        return match
    }

    /// The response that reports an error of a request for `target`; nil: its target is malformed.
    func response(to target: RequestTarget?, _ error: APIError) -> Response {
        (target.map(group) ?? fallback).errorResponse(error)
    }

    private func group(of target: RequestTarget) -> RouteGroup {
        groups.first { $0.prefixes.contains(target.components.first ?? "") } ?? fallback
    }
}
