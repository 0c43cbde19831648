// SPDX-License-Identifier: Apache-2.0

public import HTTPClient
public import LogModel
import NIOHTTP1
import SystemIO

/// A client of one API server, as one user.
public final class KubernetesClient: Sendable {
    private let access: ClusterAccess
    private let http: HTTPClient

    /// The namespace of requests that name none.
    public var namespace: String { access.namespace }
    /// The API server, for messages.
    var server: String { access.endpoint.description }

    public init(_ access: ClusterAccess) {
        self.access = access
        http = HTTPClient(access.endpoint, access.settings)
    }

    /// A path of the API with its parameters.
    public struct Target: Sendable {
        public var components: [String]
        public var parameters: [(String, String)]

        /// The path of `components`, of which none is encoded yet.
        public init(_ components: [String], _ parameters: [(String, String)] = []) {
            self.components = components
            self.parameters = parameters
        }

        var text: String {
            let path = "/" + components.map(PercentEncoding.uri.encode).joined(separator: "/")
            let pairs = parameters.map { PercentEncoding.uri.encode($0.0) + "=" + PercentEncoding.uri.encode($0.1) }
            return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
        }
    }

    /// The time limit of one request but for watches and logs.
    private static let limit = Duration.seconds(30)
    /// Objects in one part of a list.
    private static let pageSize = 500
    /// Maximum size of one part of a list, and of one event, in bytes.
    private static let maximumBody = 64 << 20
    /// How long the server keeps a watch open, in seconds; it ends a silent connection that was lost unnoticed.
    private static let watchLimit = 240

    /// The object at `target`. Throws `KubernetesError`, with the server's message.
    public func get(_ target: Target) async throws -> JSON {
        try JSON(parsing: try await body(of: try await open(target, within: Self.limit)))
    }

    /// All objects of the list at `target`, read in parts, and the version at which it was complete.
    public func list(_ target: Target) async throws -> (objects: [JSON], version: String) {
        var objects: [JSON] = []
        var next: String?
        while true {
            var part = target
            part.parameters.append(("limit", String(Self.pageSize)))
            if let next {
                part.parameters.append(("continue", next))
            }
            let list = try await get(part)
            objects += list["items"]?.elements ?? []
            next = list["metadata"]?["continue"]?.text.flatMap { $0.isEmpty ? nil : $0 }
            guard next != nil else {
                return (objects, list["metadata"]?["resourceVersion"]?.text ?? "")
            }
        }
    }

    /// So many attempts in a row that fail are an outage. A single one is usual: servers and proxies end connections.
    private static let outageFailures = 3

    /// Passes the objects of the list at `target` to `onChange`, now and after each change, until cancelled or until it
    /// returns false. A server that goes away is asked again: `onOutage` is told why it cannot be asked, and, with nil, each
    /// time that it answers. Throws `KubernetesError` when it refuses.
    public func watch(
        _ target: Target,
        onOutage: ((any Error)?) -> Void,
        _ onChange: ([JSON]) async throws -> Bool
    ) async throws {
        var watched = WatchedObjects()
        var failures = 0
        var pause = Backoff(first: 100_000, doublingLimit: 5_000_000, longest: 10_000_000)
        while true {
            var failure: (any Error)?
            do {
                if watched.version == nil {
                    let list = try await list(target)
                    watched.replace(by: list.objects, version: list.version)
                    guard try await onChange(Array(watched.objects.values)) else {
                        return
                    }
                }
                let exchange = try await open(target, from: watched)
                defer { exchange.close() }
                failures = 0
                onOutage(nil)
                guard try await continueWatch(exchange, &watched, onChange) else {
                    return
                }
                pause = Backoff(first: 100_000, doublingLimit: 5_000_000, longest: 10_000_000)
            } catch let error as KubernetesError where error.status == 410 {
                watched.forget()
            } catch let error as KubernetesError where error.status.map({ $0 < 500 && $0 != 429 }) ?? true {
                throw error
            } catch let error as KubernetesError {
                watched.forget()
                failure = error
            } catch let error as HTTPClientError where error.kind != .tls {
                // The server is restarted, or the network is down.
                failure = error
            }
            if let failure {
                failures += 1
                if failures == Self.outageFailures {
                    onOutage(failure)
                }
            }
            try await Task.sleep(for: .microseconds(pause.nextSpread()))
        }
    }

    /// The response with the changes of the list at `target` that follow `watched`.
    private func open(_ target: Target, from watched: WatchedObjects) async throws -> HTTPExchange {
        var watch = target
        watch.parameters += [
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", String(Self.watchLimit)),
            ("resourceVersion", watched.version ?? ""),
        ]
        return try await open(watch, within: Self.limit)
    }

    /// Watches until the response ends; false when `onChange` returned false.
    private func continueWatch(
        _ exchange: HTTPExchange,
        _ watched: inout WatchedObjects,
        _ onChange: ([JSON]) async throws -> Bool
    ) async throws -> Bool {
        var line: [UInt8] = []
        while let piece = try await exchange.next(timeout: .seconds(Self.watchLimit + 30)) {
            line += piece
            while let feed = line.firstIndex(of: Lines.feed) {
                let event = try JSON(parsing: line[..<feed])
                line.removeFirst(feed + 1)
                switch watched.apply(event: event) {
                case .changed:
                    guard try await onChange(Array(watched.objects.values)) else {
                        return false
                    }
                case .unchanged: break
                case .list: return true
                }
            }
            guard line.count <= Self.maximumBody else {
                throw KubernetesError("\(server) sent an event of more than \(Self.maximumBody) bytes")
            }
        }
        return true
    }

    /// How often a server that asks for it is asked again: as kubectl does.
    private static let retryLimit = 10

    /// The response of `target`, to be read in pieces. A server that is busy and says when to ask again is asked again;
    /// the pauses before that take `limit` in all at most. Throws `KubernetesError` when the status is no success.
    public func open(_ target: Target, within limit: Duration) async throws -> HTTPExchange {
        var exchange = try await send(target, within: limit)
        if exchange.status == 401, let exec = access.exec {
            // The credentials may have been revoked before they expired.
            exec.invalidate()
            exchange.close()
            exchange = try await send(target, within: limit)
        }
        var retries = 0
        var rest = limit
        while rest > .zero, retries < Self.retryLimit, let asked = Self.pause(after: exchange) {
            let pause = min(asked, rest)
            retries += 1
            rest -= pause
            exchange.close()
            try await Task.sleep(for: pause)
            exchange = try await send(target, within: limit)
        }
        return try await checked(exchange)
    }

    private static func pause(after exchange: HTTPExchange) -> Duration? {
        guard exchange.status == 429 || exchange.status >= 500,
            let value = exchange.headers.first(name: "Retry-After")
        else {
            return nil
        }
        return RetryAfter.delay(value, now: Timestamp(microseconds: SystemClock().wallMicroseconds()))
    }

    private func send(_ target: Target, within limit: Duration) async throws -> HTTPExchange {
        var request = HTTPRequest(.GET, target.text, headers: ["Accept": "application/json, */*"])
        request.timeout = limit
        return try await http.open(request)
    }

    private func checked(_ exchange: HTTPExchange) async throws -> HTTPExchange {
        guard !(200..<300).contains(exchange.status) else {
            return exchange
        }
        let text = (try? await body(of: exchange)) ?? []
        let message =
            (try? JSON(parsing: text))?["message"]?.text
            ?? String(decoding: text.prefix(200), as: UTF8.self)
        throw KubernetesError(status: exchange.status, message.isEmpty ? "HTTP status \(exchange.status)" : message)
    }

    private func body(of exchange: HTTPExchange) async throws -> [UInt8] {
        do {
            return try await exchange.body(maximum: Self.maximumBody)
        } catch let error as HTTPClientError where error.kind == .tooLarge {
            throw KubernetesError("\(server) sent more than \(Self.maximumBody) bytes")
        }
    }
}
