// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1

/// A response: status, header fields and body.
struct Response: Sendable {
    var status: Int
    /// Header fields besides those that describe the body.
    var headers: [(String, String)]
    /// The media type of the body.
    let contentType: String
    let body: Body
    /// What the response reads, or was read for it; it ends when the response was sent.
    var lease: ReadingLease?

    enum Body: Sendable {
        case bytes(ByteBuffer)
        /// A body of unknown length, then trailers: `produce` writes the body and returns the values of the trailers
        /// that `trailers` names. When it throws, the connection is closed, so that the client does not take the body
        /// for complete. It is not called for HEAD.
        case stream(trailers: [String], produce: @Sendable (BodyWriter) async throws -> [(String, String)])
    }

    init(status: Int = 200, headers: [(String, String)] = [], contentType: String, _ body: Body) {
        self.status = status
        self.headers = headers
        self.contentType = contentType
        self.body = body
    }

    /// A response that is one JSON value. Encoded, it takes a fraction of the value's memory while it waits for the
    /// client.
    init(_ json: JSON, status: Int = 200, headers: [(String, String)] = [], lease: ReadingLease? = nil) {
        let bytes = ByteBuffer(bytes: json.bytes + [Lines.feed])
        self.init(status: status, headers: headers, contentType: "application/json", .bytes(bytes))
        self.lease = lease
    }

    /// The report of an error.
    init(_ error: APIError) {
        self.init(error.json, status: error.status, headers: error.headers)
    }

    /// The head of a response with this body to no request that was read, after which the connection is closed; nil for a
    /// stream.
    var closing: (head: HTTPResponseHead, body: ByteBuffer)? {
        guard case .bytes(let body) = body else {
            return nil
        }
        let fields = [
            ("Content-Type", contentType), ("Content-Length", String(body.readableBytes)), ("Connection", "close"),
        ]
        let status = HTTPResponseStatus(statusCode: status)
        return (HTTPResponseHead(version: .http1_1, status: status, headers: HTTPHeaders(fields)), body)
    }

    /// The encoded response, for a connection that is refused before its request is read; empty for a stream.
    var refusal: ByteBuffer {
        guard let (head, body) = closing else {
            return ByteBuffer()
        }
        var text = ByteBuffer(string: "\(head.version) \(head.status.code) \(head.status.reasonPhrase)\r\n")
        for (name, value) in head.headers {
            text.writeString("\(name): \(value)\r\n")
        }
        text.writeString("\r\n")
        text.writeImmutableBuffer(body)
        return text
    }
}

/// Writes the body of a streamed response. A write waits while the client does not read.
struct BodyWriter: Sendable {
    let outbound: ResponseWriter

    func write(_ bytes: [UInt8]) async throws {
        try await outbound.write(.body(ByteBuffer(bytes: bytes)))
    }
}

/// A response failed after it had begun.
struct BrokenResponse: Error {
    let cause: any Error
}

extension Response {
    /// Sends the response to `request`. Throws `BrokenResponse` when the body cannot be completed.
    func write(to outbound: ResponseWriter, _ request: HTTPRequestHead) async throws {
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: status),
            headers: fields(for: request)
        )
        switch body {
        case .bytes(let bytes):
            let content: [HTTPPart<HTTPResponseHead, ByteBuffer>] = request.method == .HEAD ? [] : [.body(bytes)]
            try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])
        case .stream(_, let produce):
            try await outbound.write(.head(head))
            guard request.method != .HEAD else {
                try await outbound.write(.end(nil))
                return
            }
            do {
                let trailers = try await produce(BodyWriter(outbound: outbound))
                try await outbound.write(.end(request.isHTTP11 ? HTTPHeaders(trailers) : nil))
            } catch {
                throw BrokenResponse(cause: error)
            }
        }
    }

    /// All header fields. HTTP/1.0 has neither chunks nor trailers: there the end of the connection ends a stream.
    private func fields(for request: HTTPRequestHead) -> HTTPHeaders {
        var fields = HTTPHeaders(headers)
        fields.add(name: "Content-Type", value: contentType)
        switch body {
        case .bytes(let bytes):
            fields.add(name: "Content-Length", value: String(bytes.readableBytes))
        case .stream(let trailers, _) where request.isHTTP11 && request.method != .HEAD:
            fields.add(name: "Transfer-Encoding", value: "chunked")
            if !trailers.isEmpty {
                fields.add(name: "Trailer", value: trailers.joined(separator: ", "))
            }
        case .stream:
            break
        }
        if !request.isHTTP11 || !request.isKeepAlive, !fields.contains(name: "Connection") {
            fields.add(name: "Connection", value: "close")
        }
        return fields
    }
}

extension HTTPRequestHead {
    /// Whether the client supports chunks, trailers and persistent connections.
    var isHTTP11: Bool { version.major == 1 && version.minor >= 1 }
}
