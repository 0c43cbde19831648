// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1

/// A response that is one JSON value.
struct Answer {
    var status: Int = 200
    var headers: [(String, String)] = []
    /// The encoded value: it takes a fraction of the value's memory while it waits for the client.
    private let body: ByteBuffer

    init(_ json: JSON, status: Int = 200) {
        body = ByteBuffer(bytes: json.bytes + [Lines.feed])
        self.status = status
    }

    init(_ error: APIError) {
        self.init(error.json, status: error.status)
        headers = error.headers
    }

    /// Sends the response to `request`; without the body for HEAD.
    func write(to outbound: ResponseWriter, _ request: HTTPRequestHead) async throws {
        var fields = HTTPHeaders(headers)
        fields.add(name: "Content-Type", value: "application/json")
        fields.add(name: "Content-Length", value: String(body.readableBytes))
        if !request.isHTTP11 || !request.isKeepAlive, !fields.contains(name: "Connection") {
            fields.add(name: "Connection", value: "close")
        }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: status),
            headers: fields
        )
        let content: [HTTPPart<HTTPResponseHead, ByteBuffer>] = request.method == .HEAD ? [] : [.body(body)]
        try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])
    }

    /// The encoded response, for a connection that is refused before its request is read.
    var refusal: ByteBuffer {
        let status = HTTPResponseStatus(statusCode: status)
        let fields = "Content-Type: application/json\r\nContent-Length: \(body.readableBytes)\r\nConnection: close"
        var text = ByteBuffer(string: "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n\(fields)\r\n\r\n")
        text.writeImmutableBuffer(body)
        return text
    }
}

extension HTTPRequestHead {
    /// Whether the client supports chunks, trailers and persistent connections.
    var isHTTP11: Bool { version.major == 1 && version.minor >= 1 }
}
