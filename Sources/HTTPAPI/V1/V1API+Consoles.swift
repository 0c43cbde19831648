// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import RotatingFile
import SystemIO

/// Adding, removing and joining consoles.
extension V1API {
    func addConsole(_ call: Call) async throws -> Response {
        let definition = try definition(from: call.body, for: call.caller)
        let hub = context.hub
        try await call.read {
            if let conflict = hub.conflict(with: definition) {
                throw APIError.conflict("\(conflict)")
            }
            do throws(SystemError) {
                try definition.endpoint.check()
            } catch {
                throw APIError.badRequest("\(definition.endpoint) cannot be captured: \(error)")
            }
            switch hub.addLasting(definition) {
            case .new, .dropped: break
            case .conflict(let conflict): throw APIError.conflict("\(conflict)")
            case .full: throw APIError(503, "the maximum number of consoles is reached: raise the limit of open files")
            case .stopping: throw APIError(503, "the daemon is stopping; try again when it runs again")
            }
        }
        return Response(.object([("added", .string(definition.key.name))]))
    }

    private static let consoleMembers: Set = [
        "name", "uuid", "namespace", "endpoint", "stream", "plain_file", "plain_size", "plain_backups", "on_demand",
    ]

    /// What has an effect with `plain_file` only.
    private static let plainFileMembers = ["plain_size", "plain_backups"]

    /// The console in a request's body.
    private func definition(from body: [UInt8], for caller: Caller) throws(APIError) -> ConsoleHub.Definition {
        let json = try JSON(body: body, members: Self.consoleMembers)
        guard let name = try json.textMember("name") else {
            throw .badRequest("name is missing: the VM's name")
        }
        guard let text = try json.textMember("endpoint") else {
            throw .badRequest("endpoint is missing: use \(Endpoint.forms)")
        }
        // A descriptor cannot be passed in a request.
        guard let endpoint = Endpoint(text), endpoint != .inherited else {
            throw .badRequest("endpoint \(text): \(Endpoint.fault(in: text))")
        }
        // The daemon may open paths that the caller may not, and the guest determines what is written to a plain file.
        guard caller.isDaemonsOwn || endpoint.path == nil && json["plain_file"] == nil else {
            let what = endpoint.path == nil ? "plain_file" : "adding a console by path"
            throw APIError(
                403,
                "\(what) is allowed for root and the daemon's own user only; ask the administrator, or configure it in guestlog.yaml"
            )
        }
        let streamText = try json.textMember("stream") ?? StreamName.console0.text
        guard let stream = StreamName(streamText) else {
            throw .badRequest("\(streamText) is not a stream name: use \(StreamName.rule)")
        }
        var uuid: String?
        if let text = try json.textMember("uuid") {
            uuid = VMIdentity.canonicalUUID(text)
            guard uuid != nil else {
                throw .badRequest("\(text) is not a UUID")
            }
        }
        let key = StreamKey(name: name, uuid: uuid, namespace: try json.textMember("namespace"), stream: stream)
        var plainFile: StreamOptions.PlainFile?
        if let path = try json.textMember("plain_file") {
            plainFile = StreamOptions.PlainFile(path: path, limits: try rotationLimits(json))
        } else if let name = Self.plainFileMembers.first(where: { (json[$0] ?? .null) != .null }) {
            throw .badRequest("\(name) has no effect without plain_file: set it too")
        }
        let isOnDemand = try json.member("on_demand", "true or false", \.bool) ?? false
        do throws(DefinitionError) {
            return try ConsoleHub.Definition(
                key: key,
                endpoint: endpoint,
                plainFile: plainFile,
                isOnDemand: isOnDemand
            )
        } catch {
            throw .badRequest("\(error)")
        }
    }

    /// Range checks are left to the definition.
    private func rotationLimits(_ json: JSON) throws(APIError) -> RotationLimits {
        var limits = RotationLimits.default
        for (name, field) in [("plain_size", \RotationLimits.size), ("plain_backups", \.backups)] {
            if let number = try json.member(name, "a whole number in digits", \.integer) {
                limits[keyPath: field] = Int(number)
            }
        }
        return limits
    }

    func removeConsole(_ call: Call) async throws -> Response {
        let (name, stream) = (call.value("name"), call.target["stream"])
        let known = context.hub.knownDefinitions()
        let keys = try context.consoles(of: name, in: known, for: call.caller).map(\.key).filter { key in
            stream.map { $0 == key.stream.text } ?? true
        }
        guard !keys.isEmpty else {
            throw APIError.notFound("\(name) has no captured console\(stream.map { " of the stream " + $0 } ?? "")")
        }
        try await context.control { [hub = context.hub] in
            for key in keys {
                _ = hub.remove(key)
            }
        }
        return Response(.object([("removed", .integer(Int64(keys.count)))]))
    }

    /// Joins a console over a WebSocket.
    func console(_ call: Call) throws(APIError) -> WebSocketSession {
        let request = try ConsoleSessionRequest(of: call.value("vm"), call.target)
        try call.caller.require(request.mode == "watch" && call.caller.access.permits(.read) ? .read : .console)
        return WebSocketSession(caller: call.caller) { [context] streams in
            try await ConsoleBridge(context: context, caller: call.caller).serve(request, streams)
        }
    }
}
