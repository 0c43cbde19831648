// SPDX-License-Identifier: Apache-2.0

import LogModel

extension JSON {
    /// The JSON in a request's body. Throws `APIError` 400 when it is malformed, or an object has a member twice:
    /// programs differ in which of the two they use.
    init(body: [UInt8]) throws(APIError) {
        do {
            self = try JSON(parsing: body)
        } catch {
            throw .badRequest("malformed body: \(error)")
        }
        if let name = repeatedMember {
            throw .badRequest("the body has the member \(name.prefix(100)) twice")
        }
    }

    /// The object in a request's body, whose members have some of `names`. Throws `APIError` 400 for others: ignoring a
    /// misspelt one would do something else than was asked for.
    init(body: [UInt8], members names: Set<String>) throws(APIError) {
        try self.init(body: body)
        guard case .object(let members) = self else {
            throw .badRequest("the body is not a JSON object")
        }
        if let unknown = members.first(where: { !names.contains($0.0) })?.0 {
            let known = names.sorted().joined(separator: ", ")
            throw .badRequest("unknown member \(unknown.prefix(100)) in the body; use \(known)")
        }
    }

    /// The member `name` as `read` reads it; nil when it is absent or null. Throws `APIError` 400 when it is of another
    /// type: `what` says what it must be.
    func member<Value>(_ name: String, _ what: String, _ read: (JSON) -> Value?) throws(APIError) -> Value? {
        guard let member = self[name], member != .null else {
            return nil
        }
        guard let value = read(member) else {
            throw .badRequest("\(name): must be \(what)")
        }
        return value
    }

    func textMember(_ name: String) throws(APIError) -> String? { try member(name, "a string", \.text) }

    private var repeatedMember: String? {
        switch self {
        case .object(let members):
            var seen: Set<String> = []
            return members.first { !seen.insert($0.0).inserted }?.0
                ?? members.lazy.compactMap { $0.1.repeatedMember }.first
        case .array(let elements):
            return elements.lazy.compactMap { $0.repeatedMember }.first
        default:
            return nil
        }
    }
}
