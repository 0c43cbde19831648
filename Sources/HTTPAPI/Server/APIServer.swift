// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import NIOPosix
import Libvirt
import SystemIO

/// The HTTP server: serves listening sockets until the tasks are cancelled.
public final class APIServer: Sendable {
    let capture: CaptureService
    let hub: ConsoleHub
    public let tokens: TokenRegister
    let domains: DomainDirectory
    let nova: NovaOptions
    let consoleTokens = ConsoleTokens()
    let sessions: Sessions
    /// Threads for reading files. Network clients have their own, so that they do not delay clients on this host.
    private let localThreads = ReaderThreads()
    private let networkThreads = ReaderThreads()
    let version: String
    let started: Timestamp
    private let limits: Limits
    let servesItself: Bool

    /// The limits of one server.
    public struct Limits: Sendable {
        /// Maximum size of a request's body, in bytes.
        public var body = 64 << 10
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
        public var pingInterval = Duration.seconds(30)
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
        version: String,
        limits: Limits = Limits(),
        servesItself: Bool = false,
        willEnterSession: @escaping @Sendable () async -> Void = {}
    ) {
        self.capture = capture
        self.hub = hub
        self.tokens = tokens
        self.domains = domains
        self.nova = nova
        self.version = version
        self.limits = limits
        self.servesItself = servesItself
        started = Timestamp(microseconds: capture.clock.wallMicroseconds())
        sessions = Sessions(tokens: tokens, clock: capture.clock, willEnter: willEnterSession)
    }

    /// Reads files for `caller`, as long as `channel` is open.
    func reader(for caller: Caller, _ channel: any Channel) -> RequestReader {
        reader(for: caller) { channel.isActive }
    }

    /// Reads files for `caller`, as long as it `isWanted`.
    func reader(for caller: Caller, isWanted: @escaping @Sendable () -> Bool) -> RequestReader {
        RequestReader(
            threads: caller.isLocal ? localThreads : networkThreads,
            client: caller.client,
            isWanted: isWanted
        )
    }

    var pingInterval: Duration { limits.pingInterval }
    var now: Timestamp { Timestamp(microseconds: capture.clock.wallMicroseconds()) }

    /// The store restricted to the VMs that the caller may see.
    func store(for caller: Caller) -> Store { capture.store.showing(caller.access.vms) }

    /// Serves on `socket`, a listening socket, until cancelled. Each listener has a thread of its own, so that load on
    /// one does not delay the other.
    public func run(on socket: consuming Descriptor, as listener: Listener = .local) async throws {
        let raw = socket.release()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let acceptance = Acceptance(
            handlers: ServerChannel(listener: listener, frameLimit: limits.frame) { [self] head, channel in
                Result { () throws(APIError) in try consoleSession(head, by: listener, from: channel) }
            },
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
                try await channel.writeAndFlush(Answer(error).refusal)
                channel.abort()
            case .served(let connection):
                defer { connection.deadline.end() }
                switch try await connection.negotiation.get() {
                case .http(let channel, let hasLeft):
                    try await serve(channel, connection, hasLeft, by: listener)
                case .console(let channel, let session):
                    connection.deadline.end()
                    try await ConsoleBridge(server: self).serve(channel, session, on: connection)
                }
            }
        } catch {
            // The client closed the connection or sent malformed HTTP: there is no one to report the error to.
            capture.diagnostics.log(.debug, "a connection ended: \(error)")
        }
    }

    private func serve(
        _ channel: HTTPServerChannel,
        _ connection: AcceptedConnection,
        _ hasLeft: EventLoopFuture<Void>,
        by listener: Listener
    ) async throws {
        try await channel.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let received):
                    head = received
                    body = []
                case .body(let bytes):
                    guard let head else {
                        return
                    }
                    guard body.count + bytes.readableBytes <= limits.body else {
                        let error = APIError(413, "the body exceeds \(limits.body) bytes")
                        try await Answer(error).write(to: outbound, head)
                        try await channel.channel.drained()
                        return
                    }
                    body.append(contentsOf: bytes.readableBytesView)
                case .end:
                    guard let received = head else {
                        return
                    }
                    let request = Request(
                        head: received,
                        body: body,
                        listener: listener,
                        peer: connection.peer,
                        channel: channel.channel,
                        hasLeft: hasLeft
                    )
                    connection.deadline.end()
                    try await Exchange(server: self, request: request, connection: connection, outbound: outbound)
                        .answer()
                    // In HTTP/1.0 the end of the connection may end the response.
                    connection.deadline.begin()
                    guard received.isHTTP11, received.isKeepAlive else {
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
