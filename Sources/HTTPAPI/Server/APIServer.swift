// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
public import Query
import Libvirt
import SystemIO

/// The daemon's HTTP server: serves listening sockets until the tasks are cancelled.
public final class APIServer: Sendable {
    let context: APIContext
    private let server: HTTPServer

    /// The limits of one server.
    public struct Limits: Sendable {
        /// Maximum size of a WebSocket frame, in bytes, in either direction.
        public var frame = Self.defaultFrame
        /// Maximum number of connections to the TCP listener, as far as descriptors allow.
        var networkConnections = 1024
        /// Maximum number of connections to the Unix socket, as far as descriptors allow.
        var localConnections = 512
        /// Maximum number of connections of a network address that has not presented a valid token.
        var connectionsPerAddress = 32
        /// Maximum number of connections of a token.
        var connectionsPerToken = 128
        /// The interval between pings to a WebSocket client; one that sent nothing since the last ping is disconnected.
        var pingInterval = Duration.seconds(25)
        /// The maximum time a client may take to send a request, or to read a short response.
        public var requestTimeout = Duration.seconds(30)

        /// The frame size of both ends: console output is sent in pieces of at most this size, and larger frames of a client
        /// are read in such pieces.
        static let defaultFrame = 64 << 10
        /// Maximum size of a client's frame, in bytes: what one pastes at once.
        static let largestFrame = 64 << 20
        /// Maximum size of a request's target and header fields together, in bytes.
        static let requestHead = 80 << 10
        /// Maximum size of the target, and of each header field: the names of `LogRequest.mostVMs` VMs fit into a target.
        static let requestField = 64 << 10
        /// Maximum number of header fields.
        static let requestFields = 100

        public init() {}
    }

    /// A server over `capture` and `hub`, for clients that the host's permissions or `tokens` admit. `domains` is
    /// libvirt's view of its VMs. Connections from this process itself are refused unless it `servesItself`: a console
    /// that names the API's own socket would make the daemon its own client.
    public init(
        capture: CaptureService,
        hub: ConsoleHub,
        tokens: TokenRegister,
        domains: DomainDirectory = DomainDirectory(),
        nova: NovaOptions = NovaOptions(),
        outputs: (any OutputControl)? = nil,
        charsets: @escaping @Sendable () -> CharsetRules = { CharsetRules() },
        collector: @escaping @Sendable () -> JSON? = { nil },
        version: String,
        limits: Limits = Limits(),
        servesItself: Bool = false
    ) {
        let shared = ServerContext(tokens: tokens, clock: capture.clock, diagnostics: capture.diagnostics)
        context = APIContext(
            server: shared,
            capture: capture,
            hub: hub,
            domains: domains,
            outputs: outputs,
            charsets: charsets,
            collector: collector,
            version: version,
            pingInterval: limits.pingInterval
        )
        let groups = [
            V1API(context: context).group, MetricsAPI(context: context).group,
            NovaAPI(context: context, options: nova).group,
        ]
        server = HTTPServer(groups, context: shared, limits: limits, servesItself: servesItself)
    }

    /// The tokens that admit network clients.
    public var tokens: TokenRegister { context.tokens }

    /// Serves on `socket`, a listening socket, until cancelled. Each listener has a thread of its own, so that load on
    /// one does not delay the other.
    public func run(on socket: consuming Descriptor, as listener: Listener = .local) async throws {
        try await server.run(on: socket, as: listener)
    }
}
