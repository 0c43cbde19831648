// SPDX-License-Identifier: Apache-2.0

// ControlAPI: HTTP/1.1 and WebSocket between the daemon and its clients.
//
// Begin with `ControlServer` (Server/): a `Listener` accepts connections, a `Caller` (Access/) is an authenticated
// client with its access. `Route` is the meaning of a request, `RequestTarget` its parsed URL. `LogRequest` is a
// request for log text, the same for the command line and for HTTP. `ConsoleBridge` connects a WebSocket to a console,
// as a `ConsoleSessionRequest` asks. `NovaAPI` (Nova/) implements a part of OpenStack's Compute API. `ControlClient` is
// the client of the command line. The routes are described in docs/openapi.yaml.
