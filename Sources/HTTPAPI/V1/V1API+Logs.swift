// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import NIOCore
import Query

/// Log text: a body of unknown length, then trailers.
///
/// `Guestlog-Cursor` resumes after the response, `Guestlog-Matched` is 1 or 0, `Guestlog-Explanation` explains an empty
/// response.
extension V1API {
    func logs(_ call: Call) async throws -> Response {
        let parameters = try LogParameters(call.target, charsets: context.charsets(), now: context.now)
        let question = parameters.request
        let (store, now) = (context.store(for: call.caller), context.now)
        // A follower or a search may send nothing for a long time, so a write does not detect that the client has
        // closed.
        let isQuiet = question.selection.follow || question.selection.filtersByText
        let hasLeft = isQuiet ? call.origin.hasLeft : call.origin.channel.closeFuture
        let turn = ReadTurn()
        hasLeft.whenComplete { _ in turn.cancel() }
        let vms = try await call.read { [context, caller = call.caller] () throws -> [Store.VM] in
            var question = question
            question.vms = try question.vms.map { try context.storedWord($0, in: store) }
            do {
                return try question.resolve(in: store)
            } catch let error as QueryError {
                throw context.explained(error, question.vms, in: store, for: caller)
            }
        }
        let lease =
            try vms.isEmpty
            ? context.sessions.lease(awaiting: "any VM", for: call.caller)
            : context.sessions.lease(Set(vms.map(\.directory)), for: call.caller)
        let query = try await call.read { try question.open(vms, of: store, now: now, turn: turn) }
        let format = question.rendering.format
        let body = Response.Body.stream(trailers: LogTrailers.names) { [notifier = context.capture.notifier] body in
            let text = LogText(query: query, isResumable: parameters.isResumable, body: body)
            do {
                try await text.write(as: Following(CommitNotifications(notifier, call.reader, until: hasLeft)))
                return try await call.read { LogTrailers.values(of: query) }
            } catch {
                try? await text.end(format.message(for: error))
                throw error
            }
        }
        var response = Response(contentType: format.contentType, body)
        response.lease = lease
        return response
    }
}

/// Writes the text of a query, with a cursor before each piece if the client can resume.
private struct LogText {
    let query: LogQuery
    let isResumable: Bool
    let body: BodyWriter

    func write(as following: Following<CommitNotifications>) async throws {
        if isResumable {
            try await body.write(ResumableBody.piece([], cursor: query.cursor))
        }
        guard try await following.answer(query, to: writePiece) else {
            throw ReadTurn.Cancelled()
        }
    }

    private func writePiece(_ bytes: [UInt8]) async throws {
        try await body.write(isResumable ? ResumableBody.piece(bytes, cursor: query.takeMovedCursor()) : bytes)
    }

    /// Ends a text that failed.
    func end(_ words: String) async throws {
        try await writePiece(query.finishLine() + Array(words.utf8))
    }
}

/// The trailers of log text.
private enum LogTrailers {
    static let names = ["Guestlog-Cursor", "Guestlog-Matched", "Guestlog-Explanation"]

    static func values(of query: LogQuery) -> [(String, String)] {
        var values = [("Guestlog-Cursor", query.cursor), ("Guestlog-Matched", query.matchedAny ? "1" : "0")]
        if let explanation = query.explanation() {
            values.append(("Guestlog-Explanation", PercentEncoding.uri.encode(explanation)))
        }
        return values
    }
}

extension OutputFormat {
    var contentType: String {
        switch self {
        case .json: "application/x-ndjson"
        case .export: "application/vnd.fdo.journal"
        case .raw: "application/octet-stream"
        case .text, .short, .escaped, .logfmt, .cri: "text/plain; charset=utf-8"
        }
    }

    /// The text that ends a response that failed; empty in formats without comments.
    func message(for error: any Error) -> String {
        switch self {
        case .text, .short, .escaped: "-- the response ends here: \(APIError(of: error)) --\n"
        case .json: String(decoding: APIError(of: error).json.bytes, as: UTF8.self) + "\n"
        case .logfmt, .cri, .export, .raw: ""
        }
    }
}
