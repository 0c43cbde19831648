import Capture
import ConsoleHub
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import NIOPosix
import Platforms
import SystemIO

/// The daemon's HTTP side: answers on listening sockets until their tasks are cancelled.
public final class ControlServer: Sendable {
    let capture: CaptureService
    let hub: ConsoleHub
    /// Those who may come over the network.
    public let tokens: TokenRegister
    let domains: DomainDirectory
    let nova: NovaOptions
    let consoleTokens = ConsoleTokens()
    let sessions: Sessions
    /// Threads for what reads files: callers over the network have their own, and keep nobody on this host waiting.
    private let localThreads = ReaderThreads()
    private let networkThreads = ReaderThreads()
    let version: String
    let started: Timestamp
    private let limits: Limits
    let servesItself: Bool

    /// What one daemon serves at most.
    public struct Limits: Sendable {
        /// Bytes of a request's body.
        public var body = 64 << 10
        /// Bytes of one WebSocket frame, in either direction.
        public var frame = Self.standardFrame
        /// Connections to the TCP socket at once, as far as descriptors allow.
        public var networkConnections = 1024
        /// Connections to the Unix socket at once, as far as descriptors allow.
        public var localConnections = 512
        /// Connections of one network address that has shown no valid token.
        public var connectionsPerAddress = 32
        /// Connections of one token.
        public var connectionsPerToken = 128
        /// How often a WebSocket's client is sent a ping; one from which nothing came since the last is let go.
        public var pingInterval = Duration.seconds(30)
        /// How long a connection may take to send a request, or to take a short answer.
        public var requestTimeout = Duration.seconds(30)

        /// What both ends take and send: a console is read in pieces of at most this.
        static let standardFrame = 64 << 10

        /// The standard limits.
        public init() {}
    }

    /// A server over `capture` and `hub`, for those whom the host's permissions or `tokens` let in. `domains` are what
    /// libvirt tells of its VMs. Who comes from this very process is refused unless it `servesItself`: somebody has
    /// named our socket as a console's, to be taken for us.
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

    /// Reads files for `caller`, as long as that `isWanted`.
    func reader(for caller: Caller, isWanted: @escaping @Sendable () -> Bool) -> RequestReader {
        RequestReader(
            threads: caller.isLocal ? localThreads : networkThreads,
            client: caller.client,
            isWanted: isWanted
        )
    }

    var pingInterval: Duration { limits.pingInterval }
    var now: Timestamp { Timestamp(microseconds: capture.clock.wallMicroseconds()) }

    /// The store as the caller may see it.
    func store(for caller: Caller) -> Store { capture.store.showing(caller.access.vms) }

    /// Serves on `socket`, a listening socket, until cancelled; each listener has a thread of its own, so that what comes
    /// by one keeps nobody waiting at another.
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
            // The client went away, or sent what is no HTTP: there is nobody to tell.
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
                        let error = APIError(413, "the body is longer than \(limits.body) bytes")
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
                    // In HTTP/1.0 the end of the connection may have to end the answer.
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
