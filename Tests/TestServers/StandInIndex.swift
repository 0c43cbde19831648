// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOConcurrencyHelpers

/// What an engine with the bulk API stores: a document for each id, created once.
public final class StandInIndex: Sendable {
    private struct Contents {
        var documents: [(id: String, message: String)] = []
        var ids: Set<String> = []
        var repeats = 0
    }

    private let contents = NIOLockedValueBox(Contents())

    public init() {}

    /// The messages of the documents, in the order they were created.
    public var messages: [String] { contents.withLockedValue { $0.documents.map(\.message) } }
    public var ids: [String] { contents.withLockedValue { $0.documents.map(\.id) } }
    /// The number of documents that were there already.
    public var repeats: Int { contents.withLockedValue { $0.repeats } }

    /// Begins another backing index, which knows no ids.
    public func rollOver() {
        contents.withLockedValue { $0.ids = [] }
    }

    /// Creates the documents of a bulk request, each with the status that `status` returns for its message.
    public func take(
        _ request: StandInServer.Request,
        status: (String) -> Int = { _ in 201 }
    ) -> StandInServer.Answer {
        guard request.target.contains("/_bulk") else {
            return .status(200, body: "{}")
        }
        let lines = request.body.split(separator: Lines.feed)
        var items: [JSON] = []
        guard lines.count.isMultiple(of: 2) else {
            return .status(400, body: "malformed")
        }
        for index in stride(from: 0, to: lines.count, by: 2) {
            guard let action = try? JSON(parsing: lines[index]), let document = try? JSON(parsing: lines[index + 1]),
                let id = action["create"]?["_id"]?.text, let message = document["message"]?.text
            else {
                return .status(400, body: "malformed")
            }
            items.append(create(id, message, status(message)))
        }
        let body = JSON.object([("took", .integer(1)), ("errors", .bool(true)), ("items", .array(items))]).bytes
        return .status(
            200,
            body: String(decoding: body, as: UTF8.self),
            headers: [("Content-Type", "application/json")]
        )
    }

    private func create(_ id: String, _ message: String, _ wanted: Int) -> JSON {
        let status = contents.withLockedValue { contents in
            guard wanted == 201 else {
                return wanted
            }
            guard contents.ids.insert(id).inserted else {
                contents.repeats += 1
                return 409
            }
            contents.documents.append((id, message))
            return 201
        }
        var outcome: [(String, JSON)] = [("_id", .string(id)), ("status", .integer(Int64(status)))]
        if status >= 400 {
            let reason = JSON.object([("type", .string("error_\(status)")), ("reason", .string(message))])
            outcome.append(("error", reason))
        }
        return .object([("create", .object(outcome))])
    }
}
