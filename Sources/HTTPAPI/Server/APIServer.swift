// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import NIOPosix
public import Query
import Libvirt
import SystemIO

/// The HTTP server: serves listening sockets until the tasks are cancelled.
public final class APIServer: Sendable {
    let context: APIContext
    private let admission: Admission
    private let limits: Limits

    /// The limits of one server.
    public struct Limits: Sendable {
        /// Maximum size of a WebSocket frame, in bytes, in either direction.
        public var frame = Self.standardFrame
        /// Maximum number of connections to the TCP listener, as far as descriptors allow.
        public var networkConnections = 1024
        /// Maximum number of connections to the Unix socket, as far as descriptors allow.
        public var localConnections = 512
        /// Maximum number of connections of a network address that has not presented a valid token.
        public var connectionsPerAddress = 32
        /// Maximum number of connections of a token.
        public var connectionsPerToken = 128
        /// The interval between pings to a WebSocket client; one that sent nothing since the last ping is disconnected.
        public var pingInterval = Duration.seconds(25)
        /// The maximum time a client may take to send a request, or to read a short response.
        public var requestTimeout = Duration.seconds(30)

        /// The frame size of both ends: console output is sent in pieces of at most this size.
        static let standardFrame = 64 << 10

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
        version: String,
        limits: Limits = Limits(),
        servesItself: Bool = false,
        willEnterSession: @escaping @Sendable () async -> Void = {}
    ) {
        self.limits = limits
        context = APIContext(
            capture: capture,
            hub: hub,
            tokens: tokens,
            domains: domains,
            outputs: outputs,
            charsets: charsets,
            sessions: Sessions(tokens: tokens, clock: capture.clock, willEnter: willEnterSession),
            version: version,
            pingInterval: limits.pingInterval
        )
        let router = Router([
            V1API(context: context).group, MetricsAPI(context: context).group,
            NovaAPI(context: context, options: nova).group,
        ])
        admission = Admission(router: router, context: context, servesItself: servesItself)
    }

    /// The tokens that admit network clients.
    public var tokens: TokenRegister { context.tokens }

    /// Serves on `socket`, a listening socket, until cancelled. Each listener has a thread of its own, so that load on
    /// one does not delay the other.
    public func run(on socket: consuming Descriptor, as listener: Listener = .local) async throws {
        let raw = socket.release()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let acceptance = Acceptance(
            handlers: ServerChannel(listener: listener, frameLimit: limits.frame, admission: admission),
            limit: ConnectionLimit(bounds(of: listener)),
            spares: SpareDescriptors(listener.isNetwork ? 0 : Acceptance.spares),
            requestTimeout: TimeAmount(limits.requestTimeout)
        )
        let server = try await acceptance.bootstrap(group).bind(raw, childChannelInitializer: acceptance.accept)
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await accepted in connections {
                    tasks.addTask { await self.serve(accepted, by: listener) }
                }
            }
        }
    }

    private func bounds(of listener: Listener) -> ConnectionLimit.Bounds {
        let share = Acceptance.descriptorShare
        guard listener.isNetwork else {
            return .local(min(limits.localConnections, share))
        }
        return ConnectionLimit.Bounds(
            total: min(limits.networkConnections, share),
            perAddress: limits.connectionsPerAddress,
            perToken: limits.connectionsPerToken
        )
    }

    private func serve(_ accepted: Accepted, by listener: Listener) async {
        do {
            switch accepted {
            case .refused(let channel, let error):
                try await channel.writeAndFlush(Response(error).refusal)
                channel.abort()
            case .served(let connection):
                defer { connection.deadline.end() }
                switch try await connection.negotiation.get() {
                case .http(let channel, let hasLeft):
                    try await serve(channel, connection, hasLeft, by: listener)
                case .webSocket(let channel, let session):
                    connection.deadline.end()
                    try await serve(channel, session, on: connection)
                }
            }
        } catch {
            // The client closed the connection or sent malformed HTTP: there is no one to report the error to.
            context.capture.diagnostics.log(.debug, "a connection ended: \(error)")
        }
    }

    private func serve(
        _ channel: HTTPServerChannel,
        _ connection: AcceptedConnection,
        _ hasLeft: EventLoopFuture<Void>,
        by listener: Listener
    ) async throws {
        let origin = RequestOrigin(
            listener: listener,
            peer: connection.peer,
            channel: channel.channel,
            hasLeft: hasLeft
        )
        try await channel.executeThenClose { inbound, outbound in
            var exchange: Exchange?
            for try await part in inbound {
                switch part {
                case .head(let head):
                    exchange = Exchange(
                        head,
                        admission.admit(head, from: origin),
                        on: connection,
                        sessions: context.sessions,
                        outbound: outbound
                    )
                case .body(let bytes):
                    guard try await exchange?.take(bytes) == true else {
                        try await channel.channel.drained()
                        return
                    }
                case .end:
                    guard let current = exchange else {
                        return
                    }
                    exchange = nil
                    connection.deadline.end()
                    try await current.answer()
                    // In HTTP/1.0 the end of the connection may end the response.
                    connection.deadline.begin()
                    guard current.head.isHTTP11, current.head.isKeepAlive else {
                        try await channel.channel.drained()
                        return
                    }
                }
            }
            // The client has shut down its half.
            try await channel.channel.drained()
        }
    }
}
