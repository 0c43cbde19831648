// SPDX-License-Identifier: Apache-2.0

import Gzip
public import HTTPClient
import LogModel
import LogStore
import NIOHTTP1
import SystemIO

/// The settings that all outputs over HTTP have.
public struct HTTPOutputSettings: Hashable, Sendable {
    public var endpoint: HTTPEndpoint
    public var tls = TLSClientSettings()
    public var proxy: HTTPEndpoint?
    /// Fields of each request.
    public var headers: [String: String] = [:]
    /// A file with a bearer token, read for each request.
    public var tokenFile: String?
    /// Whether bodies are compressed.
    public var compresses = true

    public init(_ endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }

    /// The settings of the client.
    var client: HTTPClient.Settings {
        var client = HTTPClient.Settings()
        client.tls = tls
        client.proxy = proxy
        client.headers = [(name: "User-Agent", value: "guestlog")]
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            client.headers.append((name: name, value: value))
        }
        if let file = tokenFile {
            client.bearerToken = { try Self.token(in: file) }
        }
        return client
    }

    private static func token(in file: String) throws -> String {
        do {
            return try SecretFile.token(in: file)
        } catch {
            throw HTTPClientError(.unreachable, "\(error)")
        }
    }
}

/// Posts bodies to a receiver, and interprets the answers that all receivers give alike.
struct HTTPOutput: Sendable {
    private let client: HTTPClient
    private let compresses: Bool

    /// What a request came to.
    enum Outcome {
        case success(HTTPResponse)
        /// The receiver did not take the request; `response` is nil when there was none.
        case failure(SendResult, response: HTTPResponse?)
    }

    init(_ settings: HTTPOutputSettings) {
        client = HTTPClient(settings.endpoint, settings.client)
        compresses = settings.compresses
    }

    /// Posts `body` to `target`, which follows the endpoint's path.
    func post(_ target: String, _ contentType: String, _ body: [UInt8]) async -> Outcome {
        var request = HTTPRequest(.POST, target, headers: ["Content-Type": contentType, "Accept-Encoding": "identity"])
        request.timeout = OutputLimits.answer
        do {
            if compresses {
                request.headers.add(name: "Content-Encoding", value: "gzip")
                request.body = try Gzip.compress(body)
            } else {
                request.body = body
            }
            let response = try Self.decoded(try await client.send(request))
            guard !response.isSuccess || Self.isPage(response) else {
                return .success(response)
            }
            return .failure(failure(response, target), response: response)
        } catch let error as HTTPClientError where error.kind == .tooLarge {
            // It has something for each record: fewer records have a smaller one.
            return .failure(.tooLarge("\(error)"), response: nil)
        } catch Gzip.Failure.tooLarge(_) {
            return .failure(.tooLarge("\(client.endpoint): its response is too large"), response: nil)
        } catch {
            return .failure(.unavailable("\(error)"), response: nil)
        }
    }

    func close() {
        client.close()
    }

    /// `response` with its body as text: some servers, and proxies before them, compress in spite of `Accept-Encoding`.
    private static func decoded(_ response: HTTPResponse) throws -> HTTPResponse {
        guard response.headers.first(name: "Content-Encoding")?.lowercased() == "gzip", !response.body.isEmpty else {
            return response
        }
        let body = try Gzip.decompress(response.body, limit: HTTPResponse.defaultMaximum)
        return HTTPResponse(status: response.status, headers: response.headers, body: body)
    }

    /// Whether a response is a web page: no receiver answers so, but a proxy that asks for a login does.
    private static func isPage(_ response: HTTPResponse) -> Bool {
        response.headers.first(name: "Content-Type")?.lowercased().hasPrefix("text/html") == true
    }

    /// What the response to a request to `target` means that is no success.
    private func failure(_ response: HTTPResponse, _ target: String) -> SendResult {
        let url = "\(client.endpoint)\(target.prefix { $0 != "?" })"
        let reason = "\(url) answered \(response.status)\(text(of: response))"
        switch response.status {
        case 400, 422:
            return .refused(reason)
        case 413:
            return .tooLarge(reason)
        default:
            let now = SystemClock().now
            let field = response.headers.first(name: "Retry-After")
            return .unavailable(reason, retryAfter: field.flatMap { RetryAfter.delay($0, now: now) })
        }
    }

    /// The beginning of a response's body, as a part of a message.
    private func text(of response: HTTPResponse) -> String {
        if (300..<400).contains(response.status), let target = response.headers.first(name: "Location") {
            return ": the receiver is at \(HTTPResponse.excerpt(of: target.utf8)); change url accordingly"
        }
        if response.status == 407 {
            return client.hasProxyPassword
                ? ": check the user and the password in proxy"
                : ": the proxy requires a user and a password: set proxy to http://USER:PASSWORD@HOST:PORT"
        }
        if response.isSuccess {
            return " with a web page: check that url is the receiver's, and that no proxy asks for a login"
        }
        let words = response.excerpt
        return words.isEmpty ? "" : ": " + words
    }
}
