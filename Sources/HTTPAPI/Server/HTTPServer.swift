// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemIO

/// An HTTP/1.1 server of groups of routes, on listening sockets that it is given.
final class HTTPServer: Sendable {
    let context: ServerContext
    private let admission: Admission
    private let limits: APIServer.Limits

    /// A server of `groups`. Connections from this process itself are refused unless it `servesItself`.
    init(_ groups: [RouteGroup], context: ServerContext, limits: APIServer.Limits, servesItself: Bool = false) {
        self.context = context
        self.limits = limits
        admission = Admission(router: Router(groups), context: context, servesItself: servesItself)
    }

    /// Serves on `socket`, a listening socket, until cancelled. Each listener has a thread of its own, so that load on
    /// one does not delay the other.
    func run(on socket: consuming Descriptor, as listener: Listener = .local) async throws {
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
            context.diagnostics.log(.debug, "a connection ended: \(error)")
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
                    let begun = Exchange(
                        head,
                        admission.admit(head, from: origin),
                        on: connection,
                        sessions: context.sessions,
                        outbound: outbound
                    )
                    guard try await begun.begin() else {
                        try await channel.channel.drained()
                        return
                    }
                    exchange = begun
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
