// SPDX-License-Identifier: Apache-2.0

import LogModel
import Query

/// Creating and revoking tokens.
extension APIServer {
    func addToken(_ body: [UInt8]) throws -> JSON {
        let json = try JSON(body: body)
        guard let access = Access(json) else {
            throw APIError.badRequest(
                "scopes (\(Access.Scope.names)) and vms (at most \(VMPattern.limit) patterns or UUIDs) are required"
            )
        }
        let name = json["name"]?.text ?? ""
        guard name.utf8.count <= TokenRegister.longestName,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        else {
            throw APIError.badRequest(
                "name: must have at most \(TokenRegister.longestName) bytes and no control characters"
            )
        }
        var expires: Timestamp?
        if let text = json["life"]?.text {
            do {
                expires = now.advanced(byMicroseconds: try Quantities.parseDuration(text).wholeMicroseconds)
            } catch {
                throw APIError.badRequest("life: \(error)")
            }
        }
        let (token, text) = try tokens.add(name: name, access: access, now: now, expires: expires)
        return .object([("id", .string(token.id)), ("token", .string(text))])
    }

    /// Revokes a token and closes its sessions: after the return nothing is sent or received with it.
    func revokeToken(_ id: String, _ reader: RequestReader) async throws -> JSON {
        guard try await reader.read({ try self.tokens.revoke(id) }) else {
            throw APIError.notFound("there is no token \(id); list the tokens with guestlog token list")
        }
        await sessions.end(id)
        return .object([("revoked", .string(id))])
    }
}
