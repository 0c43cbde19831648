// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOConcurrencyHelpers
import NIOCore
public import NIOHTTP1

/// A request to an `HTTPClient`'s server.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// The path and the query, such as `/api/v1/pods?limit=10`, percent-encoded. The endpoint's own path precedes it.
    public var target: String
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// The time limit for sending the request and receiving the response's head, and then for each piece of its body.
    public var timeout = Duration.seconds(30)
    /// The time limit for the whole exchange, where the whole response is awaited: a server that sends its body byte by
    /// byte is given up, too. A large body has a second more for each 64 KiB of it that came.
    var wholeTimeout: Duration { timeout * 2 }
    /// The bytes of a body that come in a second on the slowest link.
    static let slowestRate = 65_536

    public init(_ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}

/// A whole response.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: [UInt8]

    /// The default maximum of a body, in bytes.
    public static let defaultMaximum = 4 << 20

    /// The beginning of the body as a part of a message: at most 300 bytes, with spaces for characters that a
    /// terminal does not show.
    public var excerpt: String { Self.excerpt(of: body) }

    /// The beginning of `text`, which a server has sent, likewise.
    public static func excerpt(of text: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(text.prefix(300)), as: UTF8.self)
        return text.unicodeScalars.map { isUnsafe($0) ? " " : String($0) }.joined()
    }

    /// Whether a character acts on a terminal, or on the order of those beside it.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isControl || scalar.properties.generalCategory == .format
    }

    public init(status: Int, headers: HTTPHeaders, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Whether the status is one of success, 200 to 299.
    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// A response whose body is read in pieces. Used by one task.
public final class HTTPExchange: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    private let connection: HTTPConnection
    private let onReuse: @Sendable (HTTPConnection) -> Void
    private let isKeptAlive: Bool
    private let hasEnded = NIOLockedValueBox(false)
    /// When the exchange began, and how long it may take where the whole response is awaited.
    private let begin: ContinuousClock.Instant
    private let limit: Duration

    init(
        _ head: HTTPResponseHead,
        on connection: HTTPConnection,
        since begin: ContinuousClock.Instant,
        within limit: Duration,
        onReuse: @escaping @Sendable (HTTPConnection) -> Void
    ) {
        status = Int(head.status.code)
        headers = head.headers
        isKeptAlive = head.isKeepAlive
        self.connection = connection
        (self.begin, self.limit) = (begin, limit)
        self.onReuse = onReuse
    }

    deinit {
        close()
    }

    /// The next piece of the body; nil at its end. `timeout` overrides the request's: for a response that follows a log
    /// it may be nil, which is no limit.
    public func next(timeout: Duration?) async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await piece(timeout: timeout)
        } onCancel: {
            connection.close()
        }
    }

    /// The next piece of the body; nil at its end.
    public func next() async throws -> [UInt8]? {
        try await next(timeout: connection.timeout)
    }

    /// The rest of the body, which may have `maximum` bytes. Throws `HTTPClientError` when it has more, or when the whole
    /// exchange takes too long.
    public func body(maximum: Int) async throws -> [UInt8] {
        var body: [UInt8] = []
        var end = begin + limit
        do {
            while true {
                end = begin + limit + .seconds(body.count / HTTPRequest.slowestRate)
                let left = max(.zero, ContinuousClock.now.duration(to: end))
                guard let piece = try await next(timeout: min(connection.timeout, left)) else {
                    return body
                }
                guard body.count + piece.count <= maximum else {
                    let words = "the response has more than \(maximum) bytes"
                    throw HTTPClientError(.tooLarge, "\(connection.endpoint): \(words)")
                }
                body += piece
            }
        } catch let error as HTTPClientError where error.kind == .timeout && end <= .now {
            let words = "did not send its whole response within \((end - begin).components.seconds) s"
            throw HTTPClientError(.timeout, "\(connection.endpoint) \(words)")
        } catch {
            close()
            throw error
        }
    }

    private func piece(timeout: Duration?) async throws -> [UInt8]? {
        guard !hasEnded.withLockedValue({ $0 }) else {
            return nil
        }
        while true {
            switch try await connection.next(timeout: timeout) {
            case .head:
                continue
            case .body(let buffer):
                return Array(buffer.readableBytesView)
            case .end:
                hasEnded.withLockedValue { $0 = true }
                if isKeptAlive {
                    onReuse(connection)
                } else {
                    connection.close()
                }
                return nil
            }
        }
    }

    /// Closes the connection, unless the body was read to its end.
    public func close() {
        if !hasEnded.withLockedValue({ $0 }) {
            connection.close()
        }
    }
}
