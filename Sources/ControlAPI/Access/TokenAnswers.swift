import LogModel
import Query

/// Making and ending tokens.
extension ControlServer {
    func addToken(_ body: [UInt8]) throws -> JSON {
        let json = try JSON(body: body)
        guard let access = Access(json) else {
            throw APIError.badRequest(
                "scopes (of \(Access.Scope.names)) and vms (at most \(VMPattern.limit) patterns or UUIDs) were expected"
            )
        }
        let name = json["name"]?.text ?? ""
        guard name.utf8.count <= TokenRegister.longestName,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        else {
            throw APIError.badRequest("name: at most \(TokenRegister.longestName) bytes without control characters")
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

    /// Ends a token and all that it has begun: when this returns nothing more is sent or received by it.
    func revokeToken(_ id: String, _ reader: RequestReader) async throws -> JSON {
        guard try await reader.read({ try self.tokens.revoke(id) }) else {
            throw APIError.notFound("there is no token \(id); guestlog token list shows those there are")
        }
        await sessions.end(id)
        return .object([("revoked", .string(id))])
    }
}
