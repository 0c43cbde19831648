// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

/// Guestlog's own API, version 1: docs/openapi.yaml describes it.
struct V1API: Sendable {
    let context: APIContext

    var group: RouteGroup { RouteGroup(prefixes: ["v1"], routes: routes) }

    static let vacuumParameters = RouteParameters(["size", "age"], lists: ["vm"])

    private var routes: [Route] {
        [
            Route(.GET, "/v1/status", for: .scopeOnAllVMs(.read), parameters: [], status),
            Route(.GET, "/v1/vms", for: .scope(.read), parameters: [], vms),
            Route(.DELETE, "/v1/vms/{vm}", for: .scope(.admin), parameters: [], endVM),
            Route(.GET, "/v1/vms/{vm}/boots", for: .scope(.read), parameters: ["previous-instance"], boots),
            Route(.GET, "/v1/vms/{vm}/wait", for: .scope(.read), parameters: Self.waitParameters, wait),
            // Watching a console is reading, writing on it is not.
            Route(
                webSocket: "/v1/vms/{vm}/console",
                for: .callers,
                parameters: ConsoleSessionRequest.parameters,
                console
            ),
            Route(.GET, "/v1/logs", for: .scope(.read), parameters: LogParameters.names, logs),
            Route(.POST, "/v1/vacuum", for: .scope(.admin), parameters: Self.vacuumParameters, vacuum),
            // The daemon opens an added console's endpoint with its own rights.
            Route(.POST, "/v1/consoles", for: .thisHost, parameters: [], addConsole),
            Route(.DELETE, "/v1/consoles/{name}", for: .scope(.admin), parameters: ["stream"], removeConsole),
            Route(.GET, "/v1/outputs", for: .scopeOnAllVMs(.read), parameters: [], outputs),
            Route(.POST, "/v1/outputs/{name}/skip", for: .scopeOnAllVMs(.admin), parameters: [], skipOutput),
            Route(.POST, "/v1/outputs/{name}/replay", for: .scopeOnAllVMs(.admin), parameters: [], replayOutput),
            Route(.GET, "/v1/tokens", for: .daemonsOwn, parameters: [], listTokens),
            Route(.POST, "/v1/tokens", for: .daemonsOwn, parameters: [], addToken),
            Route(.DELETE, "/v1/tokens/{id}", for: .daemonsOwn, parameters: [], revokeToken),
        ]
    }
}
