// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Opens connections: TCP or a Unix socket, through a proxy where one is configured, with TLS where that is asked for.
struct Connector: Sendable {
    private let tls: TLSClientContexts
    private let proxy: HTTPEndpoint?
    private let timeout: Duration

    init(tls: TLSClientSettings, proxy: HTTPEndpoint?, timeout: Duration) {
        self.tls = TLSClientContexts(tls)
        self.proxy = proxy
        self.timeout = timeout
    }

    /// Connects to `peer`; `install` adds the protocol's handlers on the event loop. The channel reads only when it is
    /// told to. With `usesHTTP`, a proxy is given the requests of a connection without TLS itself; otherwise, and with
    /// TLS, it connects through (CONNECT).
    func connect(
        to peer: NetworkPeer,
        isSecure: Bool,
        usesHTTP: Bool,
        _ install: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        let context = isSecure ? try tls.context() : nil
        let tunnel = proxy != nil && (isSecure || !usesHTTP) ? ProxyHandshake.Request(peer, proxy?.authorization) : nil
        let start: @Sendable (any Channel) throws -> Void = { [tls] channel in
            if let context {
                let name = tls.settings.serverName ?? peer.hostName
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: context, serverHostname: name)
                )
            }
            try install(channel)
        }
        let handshake = NIOLockedValueBox<EventLoopFuture<Void>?>(nil)
        let channel = try await dial(proxy?.address ?? peer) { channel in
            guard let tunnel else {
                return try start(channel)
            }
            let handler = ProxyHandshake(tunnel, start: start, on: channel.eventLoop)
            handshake.withLockedValue { $0 = handler.result }
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        if let handshake = handshake.withLockedValue({ $0 }) {
            try await awaitTunnel(handshake, channel)
        }
        return channel
    }

    private func dial(
        _ peer: NetworkPeer,
        _ initialize: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(ChannelOptions.autoRead, value: false)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
        do {
            switch peer {
            case .network(let host, let port):
                return try await bootstrap.channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try initialize(channel) }
                }.connect(host: host, port: Int(port)).get()
            case .unix(let path):
                return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connectTimeout(TimeAmount(timeout))
                    .channelOption(ChannelOptions.autoRead, value: false)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture { try initialize(channel) }
                    }.connect(unixDomainSocketPath: path).get()
            }
        } catch let error as HTTPClientError {
            throw error
        } catch {
            throw HTTPClientError(.unreachable, "cannot connect to \(peer): \(ConnectionFailure.words(error))")
        }
    }

    private func awaitTunnel(_ handshake: EventLoopFuture<Void>, _ channel: any Channel) async throws {
        do {
            let limit = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) { channel.close(promise: nil) }
            defer { limit.cancel() }
            try await handshake.get()
        } catch let error as HTTPClientError {
            channel.close(promise: nil)
            throw error
        } catch {
            channel.close(promise: nil)
            throw HTTPClientError(
                .unreachable,
                "the proxy \(proxy?.description ?? "") failed: \(ConnectionFailure.words(error))"
            )
        }
    }
}

extension NetworkPeer {
    /// The name for SNI and for the verification of a certificate; nil for an address, which is verified as such.
    var hostName: String? {
        guard case .network(let host, _) = self else {
            return nil
        }
        return (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
