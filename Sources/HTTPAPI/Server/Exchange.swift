// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One request and its response.
struct Exchange {
    let head: HTTPRequestHead
    let admitted: Admission.Admitted
    let connection: AcceptedConnection
    let sessions: Sessions
    let outbound: ResponseWriter
    private var body: [UInt8] = []

    init(
        _ head: HTTPRequestHead,
        _ admitted: Admission.Admitted,
        on connection: AcceptedConnection,
        sessions: Sessions,
        outbound: ResponseWriter
    ) {
        self.head = head
        self.admitted = admitted
        self.connection = connection
        self.sessions = sessions
        self.outbound = outbound
    }

    /// Takes a part of the request's body; false, after a response, when the body is larger than the route allows.
    mutating func take(_ bytes: ByteBuffer) async throws -> Bool {
        let limit = admitted.route?.bodyLimit ?? Route.defaultBody
        guard body.count + bytes.readableBytes <= limit else {
            try await send(admitted.errorResponse(APIError(413, "the body exceeds \(limit) bytes")))
            return false
        }
        body.append(contentsOf: bytes.readableBytesView)
        return true
    }

    /// Answers the request, or reports the error. Throws only when the response cannot be sent completely.
    func answer() async throws {
        do {
            var call = try admitted.call.get()
            call.body = body
            guard let route = admitted.route, route.permission != .everyone else {
                return try await send(response(to: call))
            }
            // The response belongs to the session: it is sent within the caller's limits, while its token is valid.
            try await connection.counted.answering(call.caller) {
                try await sessions.during(call.caller, call.origin.channel) {
                    try await send(response(to: call))
                }
            }
        } catch let refusal as APIError {
            try await send(admitted.errorResponse(refusal))
        }
    }

    private func response(to call: Call) async -> Response {
        do {
            switch admitted.route?.handler {
            case .answer(let answer)?:
                return try await answer(call)
            case .webSocket(let accept)?:
                _ = try accept(call)
                try WebSocketHandshake.check(head)
                throw APIError.upgradeRequired(
                    "this is a WebSocket: request the upgrade in a connection's first request"
                )
            case nil:
                throw APIError.notFound("unknown path")
            }
        } catch {
            return admitted.errorResponse(APIError(of: error))
        }
    }

    /// Sends a response. A client must read one that is complete within the time limit; a stream may last for ever.
    private func send(_ response: Response) async throws {
        defer { response.lease?.end() }
        if case .bytes = response.body {
            connection.deadline.begin()
        }
        defer { connection.deadline.end() }
        try await response.write(to: outbound, head)
    }
}
