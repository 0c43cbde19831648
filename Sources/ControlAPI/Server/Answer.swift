import LogModel
import NIOCore
import NIOHTTP1

/// An answer that is one JSON value.
struct Answer {
    var status: Int = 200
    var headers: [(String, String)] = []
    var json: JSON

    init(_ json: JSON, status: Int = 200) {
        self.json = json
        self.status = status
    }

    init(_ error: APIError) {
        self.init(.object([("error", .string(error.message))]), status: error.status)
        if error.status == 401 {
            headers = [("WWW-Authenticate", "Bearer realm=\"guestlog\"")]
        }
    }

    /// Sends it; to a request for the head alone, that.
    func write(to outbound: ResponseWriter, isHead: Bool = false) async throws {
        let text = json.bytes + [UInt8(ascii: "\n")]
        var fields = HTTPHeaders(headers)
        fields.add(name: "Content-Type", value: "application/json")
        fields.add(name: "Content-Length", value: String(text.count))
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: status),
            headers: fields
        )
        let content: [HTTPPart<HTTPResponseHead, ByteBuffer>] = isHead ? [] : [.body(ByteBuffer(bytes: text))]
        try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])
    }
}
