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

    /// Decides, before the body, what its head decides: false, after the response, when the request is refused and the
    /// client need not send the body. A client that waits for that is told to send it (RFC 9110, section 10.1.1).
    func begin() async throws -> Bool {
        let length = head.headers.first(name: "Content-Length").map { Int($0) ?? .max } ?? 0
        let expects =
            head.isHTTP11 && (length > 0 || head.headers.contains(name: "Transfer-Encoding"))
            && head.headers[canonicalForm: "Expect"].contains { $0.lowercased() == "100-continue" }
        if length > limit || expects, let refusal = refusal(ofLength: length) {
            var response = admitted.errorResponse(refusal)
            // The body, if it is sent all the same, is not read.
            response.headers.append(("Connection", "close"))
            try await send(response)
            return false
        }
        if expects {
            try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
        }
        return true
    }

    private func refusal(ofLength length: Int) -> APIError? {
        if case .failure(let error) = admitted.call {
            return error
        }
        return length > limit ? tooLarge : nil
    }

    private var limit: Int { admitted.route?.bodyLimit ?? Route.defaultBody }
    private var tooLarge: APIError { APIError(413, "the body exceeds \(limit) bytes") }

    /// Takes a part of the request's body; false, after a response, when the body is larger than the route allows.
    mutating func take(_ bytes: ByteBuffer) async throws -> Bool {
        guard body.count + bytes.readableBytes <= limit else {
            try await send(admitted.errorResponse(tooLarge))
            return false
        }
        body.append(contentsOf: bytes.readableBytesView)
        return true
    }

    /// Answers the request, or reports the error. Throws only when the response cannot be sent completely.
    func answer() async throws {
        if let preflight = admitted.crossOrigin?.preflight {
            return try await send(preflight)
        }
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
        var complete = response
        complete.headers += admitted.crossOrigin?.fields ?? []
        try await complete.write(to: outbound, head)
    }
}
