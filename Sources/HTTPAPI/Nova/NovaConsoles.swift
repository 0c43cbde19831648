// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import NIOHTTP1
import SystemIO

/// Console output and serial consoles.
extension NovaAPI {
    /// `POST /servers/{id}/action`.
    func act(_ call: NovaCall) async throws -> Response {
        guard case .object(let members) = try call.body(), members.count == 1, let (action, arguments) = members.first
        else {
            throw APIError.badRequest("Malformed request body")
        }
        switch action {
        case "os-getConsoleOutput":
            try call.caller.require(.read)
            return try await consoleOutput(call, length: Self.length(arguments))
        case "os-getSerialConsole" where call.version < .remoteConsoles:
            guard arguments["type"]?.text == "serial" else {
                throw APIError.badRequest("Invalid input for field/attribute type. Value must be: serial.")
            }
            let address = try await serialConsole(call)
            let console = JSON.object([("type", .string("serial")), ("url", .string(address))])
            return call.response(.object([("console", console)]))
        default:
            throw APIError(
                action == "os-getSerialConsole" ? 404 : 400,
                "Unknown action: \(action.prefix(100)). Available are os-getConsoleOutput and, before "
                    + "\(NovaVersion.remoteConsoles.text), os-getSerialConsole."
            )
        }
    }

    /// The requested number of lines: a whole number from -1, as a number or in digits, or absent.
    private static func length(_ arguments: JSON) throws(APIError) -> Int? {
        guard case .object(let members) = arguments, members.allSatisfy({ $0.0 == "length" }) else {
            throw .badRequest("Invalid input for field/attribute os-getConsoleOutput.")
        }
        switch arguments["length"] {
        case nil, .null?: return nil
        case .integer(let number)? where number >= -1: return Int(clamping: number)
        case .string(let digits)?:
            if digits.first != "+", let number = Int(digits), number >= -1 {
                return number
            }
        default: break
        }
        throw .badRequest("Invalid input for field/attribute length. It must be a whole number, -1 or more.")
    }

    private func consoleOutput(_ call: NovaCall, length: Int?) async throws -> Response {
        guard let vm = try await found(call).stored else {
            // A server without stored output has an empty console.
            return call.response(.object([("output", .string(""))]))
        }
        let lease = try context.sessions.lease([vm.directory], for: call.caller)
        let (store, now) = (context.store(for: call.caller), context.now)
        let rules = options.output
        let text = try await call.read {
            try NovaConsoleOutput(store: store, vm: vm, rules: rules, now: now, charsets: context.charsets()).text(
                length: length
            )
        }
        return call.response(.object([("output", .string(text))]), lease: lease)
    }

    /// `POST /servers/{id}/remote-consoles`.
    func remoteConsole(_ call: NovaCall) async throws -> JSON {
        guard call.version >= .remoteConsoles else {
            throw APIError.notFound("The resource could not be found.")
        }
        let wanted = try call.body()["remote_console"]
        guard let kind = wanted?["type"]?.text, let connection = wanted?["protocol"]?.text else {
            throw APIError.badRequest("Invalid input for field/attribute remote_console.")
        }
        guard kind == "serial", connection == "serial" else {
            throw APIError.badRequest("Unavailable console type \(kind.prefix(100)).")
        }
        let address = try await serialConsole(call)
        return .object([
            (
                "remote_console",
                .object([("protocol", .string(connection)), ("type", .string(kind)), ("url", .string(address))])
            )
        ])
    }

    /// Issues a URL for a server's serial console to the caller.
    private func serialConsole(_ call: NovaCall) async throws -> String {
        try call.caller.require(.console)
        let found = try await found(call)
        guard found.isRunning != false else {
            throw APIError.conflict(
                "Cannot 'get_serial_console' instance \(found.id) while it is in vm_state stopped"
            )
        }
        let (id, caller) = (found.id, call.caller)
        guard (try? context.consoles(of: id, for: caller)) != nil else {
            throw APIError.badRequest("Unavailable console type serial.")
        }
        let expires = context.now.advanced(byMicroseconds: options.consoleLife)
        let token = ConsoleToken(vm: id, caller: caller, expires: expires)
        let secret = context.consoleTokens.issue(token, at: context.now)
        let base = call.baseURL.replacing(/^http/, with: "ws")
        let url = options.consoleURL ?? base + "/" + Self.serialPath
        return url + "?token=" + secret
    }

    /// `GET /os-console-auth-tokens/{token}`: the address of the console of a console token, for a proxy elsewhere.
    func consoleOfToken(_ call: NovaCall) async throws -> JSON {
        try call.caller.require(.admin)
        guard call.version >= .consoleTokens else {
            throw APIError.badRequest("The requested console type details are not accessible")
        }
        let token = call.id
        guard let consoleToken = consoleToken(token) else {
            throw APIError.notFound("Token not found")
        }
        // What the caller may not see is absent, whether or not the token's own holder may.
        guard let consoles = try? context.consoles(of: consoleToken.vm, for: consoleToken.caller),
            call.caller.access.vms.contains(consoles[0].vm),
            case .tcp(let address)? = consoles.first(where: { $0.key.stream == .console0 })?.endpoint
        else {
            throw APIError.notFound("Token not found")
        }
        return .object([
            (
                "console",
                .object([
                    ("instance_uuid", .string(consoleToken.vm)), ("host", .string(address.host)),
                    ("port", .integer(Int64(address.port))),
                    ("tls_port", .null), ("internal_access_path", .null),
                ])
            )
        ])
    }

    // MARK: - The serial proxy

    /// Joins the console that the token in the request names.
    func console(_ call: Call) throws(APIError) -> WebSocketSession {
        guard let token = call.target["token"].flatMap(consoleToken) else {
            throw APIError(
                403,
                "the console token is unknown or expired (a restart of guestlog ends it); request a new address"
            )
        }
        let offered = call.head.headers[canonicalForm: "Sec-WebSocket-Protocol"].map { String($0) }
        let request = ConsoleSessionRequest(token, call.target, offered: offered)
        return WebSocketSession(caller: token.caller, headers: request.upgradeHeaders) { [context] streams in
            try await ConsoleBridge(context: context, caller: token.caller).serve(request, streams)
        }
    }

    /// The token of `secret`, while the caller it was issued to is still admitted.
    private func consoleToken(_ secret: String) -> ConsoleToken? {
        let now = context.now
        return context.consoleTokens.token(for: secret, at: now).flatMap {
            context.tokens.stillAdmits($0.caller, at: now) ? $0 : nil
        }
    }
}
