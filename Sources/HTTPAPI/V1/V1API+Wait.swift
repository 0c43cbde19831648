// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import NIOCore
import Query
import TextFormats

/// Waiting for a guest's output.
extension V1API {
    static let waitParameters: RouteParameters = ["pattern", "since", "stream", "timeout", "charset"]

    /// The match as JSON, or null when the time limit passed without one.
    func wait(_ call: Call) async throws -> Response {
        let (word, target) = (call.value("vm"), call.target)
        guard let expression = target["pattern"] else {
            throw APIError.badRequest("pattern is missing")
        }
        let pattern = try RequestWords.pattern(expression, ignoreCase: nil, isBounded: true)
        let since = try target["since"].map { try RequestWords.time("since", $0, now: context.now).first }
        let stream = try target["stream"].map(RequestWords.stream)
        let timeout = try target["timeout"].map { (text: String) throws(APIError) -> Int64 in
            do {
                // Without a unit seconds, as the command has it.
                return try Quantities.parseDuration(Int(text) == nil ? text : text + "s").wholeMicroseconds
            } catch {
                throw .badRequest("timeout: \(error)")
            }
        }
        let (store, turn) = (context.store(for: call.caller), ReadTurn())
        call.origin.hasLeft.whenComplete { _ in turn.cancel() }
        let named = try await call.read { try context.storedWord(word, in: store) }
        let wait = PatternWait(
            store: store,
            vm: named,
            stream: stream,
            pattern: pattern,
            since: since,
            charsets: try target["charset"].map(RequestWords.charset) ?? context.charsets(),
            turn: turn
        )
        let folder = try await call.read {
            (try? VMLookup.resolve(named, in: store, previousInstance: false))?.directory
        }
        let lease =
            if let folder {
                try context.sessions.lease([folder], for: call.caller)
            } else {
                try context.sessions.lease(awaiting: word, for: call.caller)
            }
        let notifications = CommitNotifications(context.capture.notifier, call.reader, until: call.origin.hasLeft)
        guard let match = try await Following(notifications).match(wait, within: timeout) else {
            return Response(.null, lease: lease)
        }
        let json = JSON.object([
            ("stream", .string(match.stream.stream.text)),
            ("time", .string(match.time.description)),
            ("text", .string(match.text)),
        ])
        return Response(json, lease: lease)
    }
}
