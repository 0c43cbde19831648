import LogModel
import NIOHTTP1

/// An answer that says what was wrong with the question.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// HTTP's status.
    public var status: Int
    /// What is wrong, and what would be right.
    public var message: String

    /// An error from its parts.
    public init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    public var description: String { message }

    static func badRequest(_ message: String) -> APIError { APIError(400, message) }
    static func notFound(_ message: String) -> APIError { APIError(404, message) }
    static func conflict(_ message: String) -> APIError { APIError(409, message) }

    var json: JSON { .object([("error", .string(message))]) }
}
