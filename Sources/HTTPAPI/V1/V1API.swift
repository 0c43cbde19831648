// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

/// Guestlog's own API, version 1: docs/openapi.yaml describes it.
struct V1API: Sendable {
    let context: APIContext

    var group: RouteGroup { RouteGroup(prefixes: ["v1"], routes: routes) }

    private var routes: [Route] {
        [
            Route(.GET, "/v1/status", for: .scopeOnAllVMs(.read), status),
            Route(.GET, "/v1/vms", for: .scope(.read), vms),
            Route(.DELETE, "/v1/vms/{vm}", for: .scope(.admin), endVM),
            Route(.GET, "/v1/vms/{vm}/boots", for: .scope(.read), boots),
            Route(.GET, "/v1/vms/{vm}/wait", for: .scope(.read), wait),
            // Watching a console is reading, writing on it is not.
            Route(webSocket: "/v1/vms/{vm}/console", for: .callers, console),
            Route(.GET, "/v1/logs", for: .scope(.read), logs),
            Route(.POST, "/v1/vacuum", for: .scope(.admin), vacuum),
            // The daemon opens an added console's endpoint with its own rights.
            Route(.POST, "/v1/consoles", for: .thisHost, addConsole),
            Route(.DELETE, "/v1/consoles/{name}", for: .scope(.admin), removeConsole),
            Route(.GET, "/v1/outputs", for: .scopeOnAllVMs(.read), outputs),
            Route(.POST, "/v1/outputs/{name}/skip", for: .scopeOnAllVMs(.admin), skipOutput),
            Route(.POST, "/v1/outputs/{name}/replay", for: .scopeOnAllVMs(.admin), replayOutput),
            Route(.GET, "/v1/tokens", for: .daemonsOwn, listTokens),
            Route(.POST, "/v1/tokens", for: .daemonsOwn, addToken),
            Route(.DELETE, "/v1/tokens/{id}", for: .daemonsOwn, revokeToken),
        ]
    }
}
