// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix
import SystemIO

/// An accepted connection.
struct AcceptedConnection: Sendable {
    let negotiation: EventLoopFuture<Negotiated>
    let counted: CountedConnection
    let deadline: RequestDeadline
    /// The peer of a Unix socket.
    let peer: PeerCredentials?
}

/// The outcome of accepting a connection.
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

    /// Spare descriptors for root and the daemon's own user: enough for two commands at once, each with a probing
    /// connection and one that it uses.
    static let spares = 4
    /// The kernel's buffers for a TCP connection, in bytes, before the kernel doubles the number (socket(7)).
    private static let sendBuffer = 128 << 10
    private static let receiveBuffer = 32 << 10
    /// Bytes buffered for a connection in the process: above the high mark no more output is generated.
    private static let writeBuffer = ChannelOptions.Types.WriteBufferWaterMark(low: 16 << 10, high: 64 << 10)
    /// Maximum number of bytes in one read.
    private static let readSize = 16 << 10

    /// The maximum number of connections of each of the two listeners such that both together use a quarter of the
    /// process's descriptors: a console session takes three, the connection and a socket pair.
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
            // The peer may have been switched off.
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
                    negotiation: try configured(channel, peer),
                    counted: counted,
                    deadline: RequestDeadline(channel, requestTimeout),
                    peer: peer
                )
            )
        } catch {
            return .refused(channel, error)
        }
    }

    private func configured(
        _ channel: any Channel,
        _ peer: PeerCredentials?
    ) throws(APIError) -> EventLoopFuture<Negotiated> {
        do {
            return try handlers.configure(channel, peer)
        } catch {
            throw APIError(500, "\(error)")
        }
    }
}
