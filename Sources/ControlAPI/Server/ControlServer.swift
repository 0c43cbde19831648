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
    let grants = ConsoleGrants()
    let sessions = Sessions()
    /// Threads for what reads files: those who come over the network have their own, and keep nobody on this host waiting.
    private let localThreads = NIOThreadPool(numberOfThreads: ControlServer.readers)
    private let networkThreads = NIOThreadPool(numberOfThreads: ControlServer.readers)
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
        /// Connections over the network at once; more are closed as they come.
        public var networkConnections = 1024
        /// How long a connection over the network may take to say what it wants.
        public var patience = Duration.seconds(30)

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
        servesItself: Bool = false
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
        localThreads.start()
        networkThreads.start()
    }

    deinit {
        localThreads.shutdownGracefully { _ in }
        networkThreads.shutdownGracefully { _ in }
    }

    /// Questions that are read for at once, for each kind of callers.
    private static let readers = 2

    /// Where files are read for `caller`.
    func threads(for caller: Caller) -> NIOThreadPool { caller.isLocal ? localThreads : networkThreads }

    /// Runs what reads files on a thread that may wait for them.
    func blocking<Result: Sendable>(
        for caller: Caller,
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await threads(for: caller).runIfActive(body)
    }

    var now: Timestamp { Timestamp(microseconds: capture.clock.wallMicroseconds()) }

    /// The store as the caller may see it.
    func store(for caller: Caller) -> Store { capture.store.showing(caller.access.vms) }

    /// Serves on `listener`, a listening socket, until cancelled; each door has a thread of its own, so that what comes
    /// by one keeps nobody waiting at another.
    public func run(on listener: consuming Descriptor, as door: Door = .local) async throws {
        let raw = listener.release()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let handlers = ServerChannel(door: door, frameLimit: limits.frame) { [self] head, channel in
            Result { () throws(APIError) in try visit(head, by: door, from: channel) }
        }
        let places = Places(door.isNetwork ? limits.networkConnections : .max)
        let server = try await ServerBootstrap(group: group)
            // The other end of a connection may have been switched off.
            .childChannelOption(.socketOption(.so_keepalive), value: door.isNetwork ? 1 : 0)
            .bind(raw) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try places.take(for: channel)
                    return (try handlers.configure(channel), self.deadline(of: channel, door))
                }
            }
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await (negotiation, deadline) in connections {
                    tasks.addTask { await self.serve(negotiation, deadline, by: door) }
                }
            }
        }
    }

    private func deadline(of channel: any Channel, _ door: Door) -> RequestDeadline? {
        door.isNetwork ? RequestDeadline(channel, TimeAmount(limits.patience)) : nil
    }

    private func serve(_ negotiation: EventLoopFuture<Negotiated>, _ deadline: RequestDeadline?, by door: Door) async {
        do {
            switch try await negotiation.get() {
            case .http(let channel):
                try await serve(channel, deadline, by: door)
            case .console(let channel, let visit):
                deadline?.end()
                try await ConsoleBridge(server: self).serve(channel, visit)
            }
        } catch {
            // The client went away, or sent what is no HTTP: there is nobody to tell.
            capture.diagnostics.say(.debug, "a connection ended: \(error)")
        }
        deadline?.end()
    }

    private func serve(_ channel: HTTPServerChannel, _ deadline: RequestDeadline?, by door: Door) async throws {
        let peer = try? await channel.channel.peerCredentials()
        try await channel.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let received):
                    head = received
                    body = []
                case .body(let bytes):
                    guard body.count + bytes.readableBytes <= limits.body else {
                        try await Answer(APIError(413, "the body is longer than \(limits.body) bytes")).write(
                            to: outbound
                        )
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
                        door: door,
                        peer: peer,
                        address: channel.channel.remoteAddress
                    )
                    try await respond(to: request, on: channel.channel, outbound, deadline)
                    if !received.isKeepAlive {
                        return
                    }
                    deadline?.begin()
                }
            }
        }
    }

    private func respond(
        to request: Request,
        on channel: any Channel,
        _ outbound: ResponseWriter,
        _ deadline: RequestDeadline?
    ) async throws {
        let isHead = request.head.method == .HEAD
        do {
            guard let target = request.target else {
                throw APIError.badRequest("the address has a broken escape")
            }
            try request.checkOrigin()
            if target.components.first != "v1", let answer = await NovaAPI(server: self).answer(request, target) {
                try await answer.write(to: outbound, isHead: isHead)
                return
            }
            let route = try Route(request.head.method, target)
            let caller = try caller(of: request)
            try check(caller, route, target)
            switch route {
            case .logs:
                deadline?.end()
                try await sessions.during(caller, channel, from: now) {
                    try await LogStream(server: self).answer(target, for: caller, outbound, until: channel.closeFuture)
                }
            case .wait(let vm):
                deadline?.end()
                let json = try await sessions.during(caller, channel, from: now) {
                    try await WaitRequest(server: self).answer(vm, target, for: caller, until: channel.closeFuture)
                }
                try await Answer(json).write(to: outbound)
            case .console:
                throw APIError(426, "a console is a WebSocket: ask for an upgrade in a connection's first request")
            default:
                try await Answer(try await answer(route, target, request.body, for: caller)).write(to: outbound)
            }
        } catch let error as BrokenAnswer {
            throw error
        } catch let error as ChannelError {
            throw error
        } catch {
            try await Answer(Self.apiError(error)).write(to: outbound, isHead: isHead)
        }
    }
}
