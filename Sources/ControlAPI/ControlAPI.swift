// ControlAPI: HTTP/1.1 and WebSocket, between the daemon and whoever asks it.
//
// Begin with `ControlServer`. `Route` says what a request means, `RequestTarget` takes its address apart; `LogRequest`
// is a question for log text, the same for the command line and for HTTP; `ConsoleBridge` joins a WebSocket to a
// console; `ControlClient` is the other end. The routes are described in docs/openapi.yaml.
