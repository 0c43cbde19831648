// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import NIOCore
import Query

/// Answers when a guest has printed a match, or when the time limit is reached.
struct WaitRequest {
    let server: APIServer

    /// The match as JSON, or null when `timeout` passed without one.
    func answer(
        _ word: String,
        _ target: RequestTarget,
        for caller: Caller,
        _ request: APIServer.Request
    ) async throws -> JSON {
        guard let expression = target["pattern"] else {
            throw APIError.badRequest("pattern is missing")
        }
        let pattern = try RequestWords.pattern(expression, ignoreCase: nil, isBounded: true)
        let since = try target["since"].map { try RequestWords.time("since", $0, now: server.now) }
        let stream = try target["stream"].map(RequestWords.stream)
        let timeout = try target["timeout"].map { (text: String) throws(APIError) -> Int64 in
            do {
                return try Quantities.parseDuration(text).wholeMicroseconds
            } catch {
                throw .badRequest("timeout: \(error)")
            }
        }
        let (store, turn) = (server.store(for: caller), ReadTurn())
        request.hasLeft.whenComplete { _ in turn.cancel() }
        let reader = server.reader(for: caller, request.channel)
        let wait = PatternWait(store: store, vm: word, stream: stream, pattern: pattern, since: since, turn: turn)
        let folder = try await reader.read {
            (try? VMLookup.resolve(word, in: store, previousInstance: false))?.directory ?? word
        }
        let following = Following(CommitNotifications(server.capture.notifier, reader, until: request.hasLeft))
        let found = try await server.sessions.reading([folder], for: caller) {
            try await following.match(wait, within: timeout)
        }
        guard let match = found else {
            return .null
        }
        return .object([
            ("stream", .string(match.stream.stream.text)),
            ("time", .string(match.time.description)),
            ("text", .string(match.text)),
        ])
    }
}
