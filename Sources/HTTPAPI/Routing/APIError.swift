// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOHTTP1
import Query
import SystemIO

/// An error response of the API.
public struct APIError: Error, Sendable, CustomStringConvertible {
    /// The HTTP status.
    public var status: Int
    /// The kind of error, for programs: a fixed word such as `no_such_vm`.
    public var code: String
    /// What is wrong and how to correct it.
    public var message: String
    /// Header fields of the response.
    var headers: [(String, String)] = []

    /// An error with the HTTP status `status`. `code` defaults to the one of the status.
    public init(_ status: Int, _ message: String, code: String? = nil) {
        self.status = status
        self.code = code ?? Self.codes[status] ?? "internal_error"
        self.message = message
        if status == 401 {
            headers = [("WWW-Authenticate", "Bearer realm=\"guestlog\"")]
        }
    }

    private static let codes = [
        400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
        406: "not_acceptable", 409: "conflict", 413: "body_too_large", 422: "too_costly", 426: "upgrade_required",
        429: "limit_reached", 503: "unavailable",
    ]

    public var description: String { message }

    static func badRequest(_ message: String) -> APIError { APIError(400, message) }
    static func notFound(_ message: String) -> APIError { APIError(404, message) }
    static func conflict(_ message: String) -> APIError { APIError(409, message) }

    var json: JSON { .object([("error", .string(message)), ("code", .string(code))]) }
}

extension APIError {
    /// The HTTP error for an error of a handler: 500 for one that is no answer to a request.
    init(of error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as QueryError: self.init(error)
        case is ReadTurn.Cancelled:
            let message = "the client has closed its half of the connection, which cancels this request"
            self.init(400, message, code: "cancelled")
        case let error as SystemError where error.code == ECANCELED: self.init(503, "\(error)")
        default: self.init(500, "\(error)")
        }
    }

    /// The HTTP error for `error`.
    init(_ error: QueryError) {
        let (status, code) =
            switch error.code {
            case .noSuchVM: (404, "no_such_vm")
            case .noSuchStream: (404, "no_such_stream")
            case .noSuchBoot: (404, "no_such_boot")
            case .ambiguousVM: (409, "ambiguous_vm")
            case .badCursor: (400, "bad_cursor")
            case .tooCostly: (422, "too_costly")
            default: (400, "bad_request")
            }
        self.init(status, error.message, code: code)
    }
}
