// SPDX-License-Identifier: Apache-2.0

public import LogModel
import Query
import TextFormats

/// The daemon's outputs, as the API uses them.
public protocol OutputControl: Sendable {
    /// The state of each output, as docs/openapi.yaml describes it.
    func statuses() async -> [JSON]
    /// Passes over what is stored and was not delivered yet. Throws `APIError` 404 when there is no such output.
    func skip(_ name: String) async throws
    /// Sends again what was received since `moment`. Throws `APIError` 404 when there is no such output.
    func replay(_ name: String, since moment: Timestamp) async throws
}

/// The outputs.
extension V1API {
    func outputs(_ call: Call) async throws -> Response {
        Response(.object([("outputs", .array(await context.outputs?.statuses() ?? []))]))
    }

    func skipOutput(_ call: Call) async throws -> Response {
        let name = call.value("name")
        try await control(name).skip(name)
        return Response(.object([("skipped", .string(name))]))
    }

    func replayOutput(_ call: Call) async throws -> Response {
        let (name, json) = (call.value("name"), try JSON(body: call.body, members: ["since"]))
        guard let word = try json.textMember("since") else {
            throw APIError.badRequest("since is missing: a time such as -1h or 2026-11-20T17:00:00Z")
        }
        let now = context.now
        let since = try RequestWords.time("since", word, now: now)
        guard since.first <= now else {
            throw APIError.badRequest("since: \(since.first) is in the future: nothing was received since then")
        }
        try await control(name).replay(name, since: since.first)
        return Response(.object([("replayed", .string(name))]))
    }

    private func control(_ name: String) throws(APIError) -> any OutputControl {
        guard let outputs = context.outputs else {
            throw APIError.notFound("there is no output \(name); none is configured")
        }
        return outputs
    }
}
