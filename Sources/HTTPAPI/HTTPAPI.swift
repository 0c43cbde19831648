// SPDX-License-Identifier: Apache-2.0

// HTTPAPI: HTTP/1.1 and WebSocket between the daemon and its clients. docs/openapi.yaml describes the routes.
//
//     Server/
//       APIServer               the API of a daemon, on all its listeners                          begin here
//       Listener                a socket that accepts connections, and how it authenticates
//       Admission, Exchange     one request: its route, its caller and its body; its response
//     Routing/
//       Route, Router           the meaning of a request: method, path, permission, handler
//       RequestTarget           a parsed URL
//       Call, Response          what a handler gets, and what it returns
//     Access/                   Caller: an authenticated client with its access; tokens, their sessions
//     V1/                       guestlog's own API (V1API, MetricsAPI); LogParameters: a request for log text
//     Console/                  ConsoleBridge: from a WebSocket to a console, as a ConsoleSessionRequest asks
//     Nova/                     NovaAPI: a part of OpenStack's Compute API
//     Kubernetes/               AdmissionWebhook: changes the pods that Kubernetes creates
//     Client/                   APIClient: the client of the command line
//     CommitNotifications       ends a request's wait for new text
