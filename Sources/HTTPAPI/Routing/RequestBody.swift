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
