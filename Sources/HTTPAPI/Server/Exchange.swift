// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import NIOCore
import NIOHTTP1

/// One request and its response.
struct Exchange {
    let server: APIServer
    let request: APIServer.Request
    let connection: AcceptedConnection
    let outbound: ResponseWriter

    /// Answers the request, or sends the error.
    func answer() async throws {
        do {
            guard let target = request.target else {
                throw APIError.badRequest("the request target has malformed percent-encoding")
            }
            try request.checkOrigin()
            let nova = NovaAPI(server: server)
            if NovaAPI.serves(target) {
                try await nova.respond(to: request, target, in: self)
            } else {
                try await answer(target)
            }
        } catch let error as BrokenAnswer {
            throw error
        } catch let error as ChannelError {
            throw error
        } catch {
            try await write(Answer(APIServer.apiError(error)))
        }
    }

    private func answer(_ target: RequestTarget) async throws {
        let route = try Route(request.method, target)
        let caller = try server.caller(of: request)
        try server.check(caller, route, target)
        try await session(of: caller) {
            switch route {
            case .logs:
                try await LogStream(server: server).answer(target, for: caller, request, outbound)
            case .wait(let vm):
                let json = try await WaitRequest(server: server).answer(vm, target, for: caller, request)
                try await write(Answer(json))
            case .boots(let word):
                let vm = try await server.vm(word, target, for: caller, request)
                try await server.sessions.reading([vm.directory], for: caller) {
                    try await write(Answer(try await server.boots(of: vm, for: caller, request)))
                }
            case .console:
                try WebSocketHandshake.check(request.head)
                throw APIError.upgradeRequired(
                    "a console is a WebSocket: request the upgrade in a connection's first request"
                )
            default:
                try await write(Answer(try await server.answer(route, target, request, for: caller)))
            }
        }
    }

    /// Runs `body`, which answers `caller`, within the caller's limits and while its token is valid.
    func session<Result>(of caller: Caller, _ body: () async throws -> Result) async throws -> Result {
        try await connection.counted.answering(caller) {
            try await server.sessions.during(caller, request.channel, body)
        }
    }

    /// Sends a response, which the client must read within the time limit.
    func write(_ answer: Answer) async throws {
        connection.deadline.begin()
        defer { connection.deadline.end() }
        try await answer.write(to: outbound, request.head)
    }
}
