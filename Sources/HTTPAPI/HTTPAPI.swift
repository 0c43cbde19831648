// SPDX-License-Identifier: Apache-2.0

// HTTPAPI: HTTP/1.1 and WebSocket between the daemon and its clients.
//
// Begin with `APIServer` (Server/): a `Listener` accepts connections, a `Caller` (Access/) is an authenticated
// client with its access. `Route` is the meaning of a request, `RequestTarget` its parsed URL. `LogParameters`
// is a request for log text in HTTP. `ConsoleBridge` connects a WebSocket to a console,
// as a `ConsoleSessionRequest` asks. `NovaAPI` (Nova/) implements a part of OpenStack's Compute API. `APIClient` is
// the client of the command line. The routes are described in docs/openapi.yaml.
