// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import NIOHTTP1
import Query

/// What a log engine has to do for `guestlog logs --from`: list streams, and return records.
///
/// Paging, order, repeats, filters and following are `FleetQuery`'s.
protocol FleetEngine: Sendable {
    var limits: FleetLimits { get set }

    /// The streams with records in `range`, nanoseconds since the Unix epoch.
    func streams(in range: Range<Int64>) async throws -> [FleetStream]

    /// The first records of `request`, or the last: all of them when they are fewer than its limit. They may be in any
    /// order, and others may be among them.
    func records(_ request: FleetRequest) async throws -> FleetPage
}

/// An answer of an engine to a request for records.
struct FleetPage {
    /// What outputs have sent.
    var records: [FleetRecord] = []
    /// The times of all entries, in nanoseconds. What other programs have sent counts for the limit, too.
    var times: [Int64] = []
}

/// What an engine can answer at once.
struct FleetLimits: Hashable, Sendable {
    /// The usual number of records of an answer.
    var page = 1000
    /// The largest number.
    var largestPage = 5000
    /// The longest range of one request, in nanoseconds.
    var longestRange = Int64.max
    /// How far before now a request without a beginning reaches, in nanoseconds; nil: to the beginning.
    var reach: Int64?
}

/// A request for a page of records.
struct FleetRequest: Hashable, Sendable {
    /// Nanoseconds since the Unix epoch.
    var range: Range<Int64>
    var limit: Int
    /// Whether the last records of the range are wanted, rather than the first.
    var isBackward: Bool
    var streams: [FleetStream]
    /// Whether `streams` are all that the engine has.
    var areAll: Bool
    /// Lines of these severities, and all gaps: records that are not may be returned too.
    var selected: ClosedRange<Severity>?

    /// The severities that are wanted; nil when lines without one are too, which count as informational.
    var severities: [Severity]? {
        selected.flatMap { selected in
            selected.contains(.informational) ? nil : Severity.allCases.filter(selected.contains)
        }
    }
}

/// Requests to an engine, with the errors that all engines report alike.
struct FleetRequests: Sendable {
    let client: HTTPClient
    let name: String

    /// The largest answer, in bytes: 5,000 lines are far less, unless they are enormous.
    private static let largestResponse = 64 << 20

    /// The body of the answer to a form that is posted to `target`. Throws `HTTPClientError`, and `QueryError` when the
    /// engine refuses the request.
    func post(_ target: String, _ form: [(name: String, value: String)], headers: HTTPHeaders = [:]) async throws
        -> [UInt8]
    {
        let body = form.map { "\($0.name)=\(PercentEncoding.uri.encode($0.value))" }.joined(separator: "&")
        var request = HTTPRequest(.POST, target, headers: headers, body: Array(body.utf8))
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        let response = try await client.send(request, maximumBody: Self.largestResponse)
        guard !response.isSuccess else {
            return response.body
        }
        let words = response.excerpt
        let reason = "\(name) answered \(response.status)" + (words.isEmpty ? "" : ": " + words)
        guard response.status >= 500 else {
            throw QueryError(.badRequest, reason)
        }
        throw HTTPClientError(.unreachable, reason)
    }

    /// An answer that is not what the engine's documentation describes.
    func malformed(_ what: String) -> HTTPClientError {
        HTTPClientError(.protocolViolation, "\(name) did not answer with \(what); is the URL that of such an engine?")
    }
}
