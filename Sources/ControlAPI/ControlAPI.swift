// ControlAPI: HTTP/1.1 and WebSocket, between the daemon and whoever asks it.
//
// Begin with `ControlServer`, in Server/: a `Listener` is a way in, a `Caller` (Access/) somebody who has come, and what they
// may do. `Route` says what a request means, `RequestTarget` takes its address apart; `LogRequest` is a question for log
// text, the same for the command line and for HTTP; `ConsoleBridge` joins a WebSocket, a `ConsoleSessionRequest`, to a console;
// `NovaAPI` (Nova/) is what OpenStack's clients find. `ControlClient` is the other end. The routes are described in
// docs/openapi.yaml.
