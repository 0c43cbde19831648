import Glibc
import NIOCore
import NIOPosix
import SystemIO

/// A connection that is served.
struct AcceptedConnection: Sendable {
    let negotiation: EventLoopFuture<Negotiated>
    let counted: CountedConnection
    let deadline: RequestDeadline
    /// Who is at the other end of a Unix socket.
    let peer: PeerCredentials?
}

/// What became of a connection that was accepted.
enum Accepted: Sendable {
    case served(AcceptedConnection)
    case refused(any Channel, APIError)
}

/// Accepts the connections of one listener, within its limits.
struct Acceptance: Sendable {
    let handlers: ServerChannel
    let limit: ConnectionLimit
    let spares: SpareDescriptors
    let requestTimeout: TimeAmount

    /// Spare descriptors for root and the daemon's own user: two commands at once, each with a connection to try and one
    /// to use.
    static let spares = 4
    /// What the kernel buffers of one TCP connection, in bytes, before it doubles the number (socket(7)).
    private static let sendBuffer = 128 << 10
    private static let receiveBuffer = 32 << 10
    /// What is buffered of it here: above the higher mark nothing is made any more that would have to wait.
    private static let writeBuffer = ChannelOptions.Types.WriteBufferWaterMark(low: 16 << 10, high: 64 << 10)
    /// Most bytes read at once.
    private static let readSize = 16 << 10

    /// The connections that one of the two listeners may have so that both together use a quarter of the process's
    /// descriptors: a connection to a console takes three, itself and a pair of sockets.
    static var descriptorShare: Int { max(4, DescriptorLimit.current / (4 * 2 * 3)) }

    func bootstrap(_ group: any EventLoopGroup) -> ServerBootstrap {
        let (spares, isNetwork) = (spares, handlers.listener.isNetwork)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(spares))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.writeBufferWaterMark, value: Self.writeBuffer)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: Self.readSize)
            )
        guard isNetwork else {
            return bootstrap
        }
        return
            bootstrap
            // The other end of a connection may have been switched off.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.socketOption(.so_sndbuf), value: Self.sendBuffer)
            .childChannelOption(.socketOption(.so_rcvbuf), value: Self.receiveBuffer)
    }

    @Sendable
    func accept(_ channel: any Channel) -> EventLoopFuture<Accepted> {
        guard !handlers.listener.isNetwork else {
            return channel.eventLoop.makeCompletedFuture { try accept(channel, nil) }
        }
        return channel.peerCredentials().flatMapThrowing { peer in try accept(channel, peer) }
    }

    private func accept(_ channel: any Channel, _ peer: PeerCredentials?) throws -> Accepted {
        let client = handlers.listener.isNetwork ? Client(at: channel.remoteAddress?.ipAddress) : .user(peer?.user)
        do throws(APIError) {
            guard client.isDaemonsOwn || !spares.isShort else {
                throw APIError(503, "the daemon has no file descriptors left; try again later")
            }
            let counted = try limit.admit(channel, of: client)
            return .served(
                AcceptedConnection(
                    negotiation: try configured(channel),
                    counted: counted,
                    deadline: RequestDeadline(channel, requestTimeout),
                    peer: peer
                )
            )
        } catch {
            return .refused(channel, error)
        }
    }

    private func configured(_ channel: any Channel) throws(APIError) -> EventLoopFuture<Negotiated> {
        do {
            return try handlers.configure(channel)
        } catch {
            throw APIError(500, "\(error)")
        }
    }
}
