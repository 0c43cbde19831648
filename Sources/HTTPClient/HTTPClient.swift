// SPDX-License-Identifier: Apache-2.0

// HTTPClient: an HTTP/1.1 client over NIO, and the connections below it.
//
//     HTTPClient            one server: requests, with a pool of connections                     begin here
//       HTTPEndpoint        the server, from a URL
//       HTTPRequest         a request; HTTPResponse, HTTPExchange: its response, whole or in pieces
//       RetryAfter          when a server that is busy is to be asked again
//       HTTPConnection      one connection, on its event loop
//     Transport/
//       Connector           opens connections: TCP or a Unix socket, a proxy, TLS
//       TLSClientSettings   the CAs that are trusted, and the client's own certificate
//       ByteConnection      a connection without HTTP, for other protocols
//       ConnectionFailure   errors in words
//
// Invariants:
// 1. A response is read as fast as its reader takes it: the memory for it is limited.
// 2. A connection that the server has closed while it was idle is noticed. A request that fails on a reused connection
//    before the response begins is sent again at once on a new one: the failure tells nothing about the server.
import NIOConcurrencyHelpers
import NIOHTTP1

/// A client of one server.
///
/// It keeps idle connections for the next requests. Any number of requests may be sent at one time.
public final class HTTPClient: Sendable {
    /// How the server is reached, and the limits.
    public struct Settings: Sendable {
        /// TLS, for `https` endpoints.
        public var tls = TLSClientSettings()
        /// The proxy, `http://HOST:PORT`; nil: none. `https` requests pass it through CONNECT (RFC 9110, section 9.3.6).
        public var proxy: HTTPEndpoint?
        /// The time limit for connecting, the proxy's answer included.
        public var connectTimeout = Duration.seconds(10)
        /// Fields of every request, such as `Authorization`.
        public var headers: [(name: String, value: String)] = []
        /// The secret for `Authorization: Bearer`, asked for each request: tokens are renewed.
        public var bearerToken: (@Sendable () throws -> String?)?

        public init() {}
    }

    public let endpoint: HTTPEndpoint
    private let settings: Settings
    private let connector: Connector
    private let idle = NIOLockedValueBox<[IdleConnection]>([])

    private struct IdleConnection {
        let connection: HTTPConnection
        let since: ContinuousClock.Instant
    }

    /// Maximum number of idle connections.
    private static let mostIdle = 8
    /// A connection that was idle for longer is closed: middle boxes forget it without telling.
    private static let longestIdle = Duration.seconds(50)

    /// A client of the server `endpoint`. Connects when the first request is sent.
    public init(_ endpoint: HTTPEndpoint, _ settings: Settings = Settings()) {
        self.endpoint = endpoint
        self.settings = settings
        connector = Connector(
            tls: settings.tls,
            proxy: settings.proxy,
            timeout: settings.connectTimeout
        )
    }

    deinit {
        close()
    }

    /// Closes the idle connections.
    public func close() {
        let connections = idle.withLockedValue { idle in
            defer { idle = [] }
            return idle
        }
        connections.forEach { $0.connection.close() }
    }

    /// Whether requests to a proxy have a user and a password.
    public var hasProxyPassword: Bool { settings.proxy?.authorization != nil }

    /// Sends `request`; returns the whole response, whose body may have `maximumBody` bytes. Throws when the exchange takes
    /// longer than `request.wholeTimeout`, also when each piece of the response comes in time.
    public func send(
        _ request: HTTPRequest,
        maximumBody: Int = HTTPResponse.defaultMaximum
    ) async throws -> HTTPResponse {
        let exchange = try await open(request)
        let body = try await exchange.body(maximum: maximumBody)
        return HTTPResponse(status: exchange.status, headers: exchange.headers, body: body)
    }

    /// Sends `request`; returns when the response's head has arrived. The body is read from the exchange.
    public func open(_ request: HTTPRequest) async throws -> HTTPExchange {
        let head = try head(of: request)
        if let reused = takeIdle() {
            do {
                return try await begin(request, head, on: reused)
            } catch let error as HTTPClientError where error.kind == .closed {
                // The server closed the connection while it was idle.
            }
        }
        return try await begin(request, head, on: try await connect())
    }

    private func begin(
        _ request: HTTPRequest,
        _ head: HTTPRequestHead,
        on connection: HTTPConnection
    ) async throws -> HTTPExchange {
        let begin = ContinuousClock.now
        return try await withTaskCancellationHandler {
            let response = try await connection.begin(head, request.body, timeout: request.timeout)
            let limit = request.wholeTimeout
            return HTTPExchange(response, on: connection, since: begin, within: limit) { [weak self] connection in
                guard let self else {
                    return connection.close()
                }
                keep(connection)
            }
        } onCancel: {
            connection.close()
        }
    }

    private func connect() async throws -> HTTPConnection {
        let connection = HTTPConnection(endpoint.description)
        _ = try await connector.connect(to: endpoint.address, isSecure: endpoint.isSecure, usesHTTP: true) { channel in
            try connection.install(in: channel)
        }
        return connection
    }

    private func head(of request: HTTPRequest) throws -> HTTPRequestHead {
        var headers = HTTPHeaders([("Host", endpoint.hostField)])
        // A field may be repeated.
        for field in settings.headers {
            headers.remove(name: field.name)
        }
        for field in settings.headers {
            headers.add(name: field.name, value: field.value)
        }
        if let authorization = endpoint.authorization {
            headers.replaceOrAdd(name: "Authorization", value: authorization)
        }
        if let token = try settings.bearerToken?() {
            headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
        }
        for field in request.headers {
            headers.replaceOrAdd(name: field.name, value: field.value)
        }
        if !request.body.isEmpty || request.method == .POST || request.method == .PUT || request.method == .PATCH {
            headers.replaceOrAdd(name: "Content-Length", value: String(request.body.count))
        }
        // A proxy is given the whole URL; through CONNECT the server itself is reached.
        let isAbsolute = settings.proxy != nil && !endpoint.isSecure
        if isAbsolute, let authorization = settings.proxy?.authorization {
            headers.add(name: "Proxy-Authorization", value: authorization)
        }
        let target = endpoint.path + request.target
        let uri = isAbsolute ? "http://\(endpoint.hostField)\(target)" : target
        return HTTPRequestHead(version: .http1_1, method: request.method, uri: uri, headers: headers)
    }

    // MARK: - Idle connections

    private func takeIdle() -> HTTPConnection? {
        let now = ContinuousClock.now
        let (found, expired) = idle.withLockedValue { idle -> (HTTPConnection?, [HTTPConnection]) in
            var expired: [HTTPConnection] = []
            while let last = idle.popLast() {
                if now - last.since < Self.longestIdle {
                    return (last.connection, expired)
                }
                expired.append(last.connection)
            }
            return (nil, expired)
        }
        expired.forEach { $0.close() }
        return found
    }

    private func keep(_ connection: HTTPConnection) {
        let isKept = idle.withLockedValue { idle in
            guard idle.count < Self.mostIdle else {
                return false
            }
            idle.append(IdleConnection(connection: connection, since: .now))
            return true
        }
        guard isKept else {
            return connection.close()
        }
        connection.whenClosed { [weak self] in
            self?.idle.withLockedValue { $0.removeAll { $0.connection === connection } }
        }
    }
}
