// SPDX-License-Identifier: Apache-2.0

import LogModel
import Query
import TextFormats

/// Listing, creating and revoking tokens.
extension V1API {
    func listTokens(_ call: Call) -> Response {
        Response(.object([("tokens", .array(context.tokens.all.map(\.publicJSON)))]))
    }

    func addToken(_ call: Call) async throws -> Response {
        let json = try JSON(body: call.body, members: ["scopes", "vms", "name", "life"])
        try Self.checkPatterns(json["vms"]?.elements?.compactMap(\.text) ?? [])
        guard let access = Access(json) else {
            throw APIError.badRequest(
                "scopes (\(Access.Scope.names)) and vms (at most \(VMPattern.limit) patterns or UUIDs) are required"
            )
        }
        let name = try json.textMember("name") ?? ""
        guard name.utf8.count <= TokenRegister.longestName,
            !name.unicodeScalars.contains(where: \.isControl)
        else {
            throw APIError.badRequest(
                "name: must have at most \(TokenRegister.longestName) bytes and no control characters"
            )
        }
        var expires: Timestamp?
        if let text = try json.textMember("life") {
            let life: Int64
            do {
                life = try Quantities.parseDuration(text).wholeMicroseconds
            } catch {
                throw APIError.badRequest("life: \(error)")
            }
            guard life > 0 else {
                throw APIError.badRequest("life: must be longer than 0s; omit it for a token that never expires")
            }
            expires = context.now.advanced(byMicroseconds: life)
        }
        let (tokens, now, life) = (context.tokens, context.now, expires)
        return try await call.read {
            let (token, text) = try tokens.add(name: name, access: access, now: now, expires: life)
            return Response(.object([("id", .string(token.id)), ("token", .string(text))]))
        }
    }

    /// Throws for patterns that would make a token without any VM, and for too many.
    private static func checkPatterns(_ words: [String]) throws(APIError) {
        guard words.count <= VMPattern.limit else {
            throw .badRequest("vms: there are \(words.count) patterns; at most \(VMPattern.limit) are allowed")
        }
        if let word = words.first(where: { !VMPattern.canMatch($0) }) {
            throw .badRequest("vms: no VM matches '\(word.prefix(100))'; use a pattern as web-* or lab/*, or a UUID")
        }
    }

    /// Revokes a token and closes its sessions: after the response nothing is sent or received with it.
    func revokeToken(_ call: Call) async throws -> Response {
        let (id, tokens) = (TokenRegister.id(in: call.value("id")), context.tokens)
        guard try await call.read({ try tokens.revoke(id) }) else {
            let which = AccessToken.mayBeID(id) ? id : "of that id"
            throw APIError.notFound("there is no token \(which); list the tokens with 'guestlog token list'")
        }
        await context.sessions.end(id)
        return Response(.object([("revoked", .string(id))]))
    }
}
