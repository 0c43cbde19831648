// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel

/// The server's side of unary gRPC calls over one HTTP/2 connection (RFC 9113; gRPC over HTTP/2): each request is one
/// message, and so is each response. A state machine without I/O.
///
/// NIO's HTTP/2 and grpc-swift were weighed: neither tells who is at the other end of a vsock connection, which is all
/// that identifies a guest, and the second takes five to eight minutes to build.
struct UnaryServer {
    /// A whole request.
    struct Call: Equatable {
        var stream: UInt32
        var path: String
        /// The message.
        var message: [UInt8]
    }

    /// A status of gRPC.
    enum Status: Int {
        case ok = 0
        case invalidArgument = 3
        case resourceExhausted = 8
        case unimplemented = 12
    }

    private struct Request {
        var path: String
        var body: [UInt8] = []
    }

    private var reader = HTTP2Reader(ofClient: true)
    private var requests: [UInt32: Request] = [:]
    private var highestStream: UInt32 = 0
    private var calls: [Call] = []
    /// Bytes to send.
    private(set) var output: [UInt8] = []

    /// Maximum size of a request's message, in bytes.
    static let messageLimit = 1 << 20
    /// Maximum number of requests at a time; announced to the client.
    private static let requestLimit = 4

    init() {
        // SETTINGS_MAX_CONCURRENT_STREAMS.
        write(.settings, stream: 0, [0, 3, 0, 0, 0, UInt8(Self.requestLimit)])
    }

    /// The memory of the requests, in bytes.
    var memory: Int {
        let bodies = requests.values.reduce(0) { $0 + $1.path.utf8.count + $1.body.count }
        return reader.memory + bodies + calls.reduce(0) { $0 + $1.message.count }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reader.append(bytes)
    }

    /// The next request; nil when more bytes are needed.
    mutating func next() throws(HTTP2Error) -> Call? {
        while calls.isEmpty {
            guard let event = try reader.next() else {
                return nil
            }
            try handle(event)
        }
        return calls.removeFirst()
    }

    mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    // MARK: - Responses

    /// Answers a call with an empty message.
    mutating func answer(_ stream: UInt32) {
        write(.headers, flags: HTTP2Frame.Flag.endHeaders, stream: stream, Self.responseHeaders)
        write(.data, stream: stream, [0, 0, 0, 0, 0])
        writeTrailers(stream, .ok, "", isOnly: false)
    }

    /// Refuses a call.
    mutating func refuse(_ stream: UInt32, _ status: Status, _ reason: String) {
        writeTrailers(stream, status, reason, isOnly: true)
    }

    /// `:status: 200` (index 8), and `content-type: application/grpc` as a literal with the name of index 31.
    private static let responseHeaders = [0x88] + HTTP2Header.literal(name: 31, "application/grpc")

    private mutating func writeTrailers(_ stream: UInt32, _ status: Status, _ reason: String, isOnly: Bool) {
        var block = isOnly ? Self.responseHeaders : []
        block += HTTP2Header.literal("grpc-status", String(status.rawValue))
        if !reason.isEmpty {
            block += HTTP2Header.literal("grpc-message", reason)
        }
        write(.headers, flags: HTTP2Frame.Flag.endHeaders | HTTP2Frame.Flag.endStream, stream: stream, block)
    }

    private mutating func write(_ kind: HTTP2Frame.Kind, flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8]) {
        HTTP2Frame.append(kind, flags: flags, stream: stream, payload, to: &output)
    }

    // MARK: - Requests

    private mutating func handle(_ event: HTTP2Event) throws(HTTP2Error) {
        switch event {
        case .headers(let stream, let fields, let isLast):
            try receiveHeaders(stream, fields, isLast)
        case .data(let stream, let data, let size, let isLast):
            receiveData(stream, data, size, isLast)
        case .reset(let stream):
            requests[stream] = nil
        case .settings:
            write(.settings, flags: HTTP2Frame.Flag.acknowledgement, stream: 0, [])
        case .ping(let payload):
            write(.ping, flags: HTTP2Frame.Flag.acknowledgement, stream: 0, payload)
        case .goAway, .window:
            // Responses are a few bytes: they need no window.
            break
        }
    }

    private mutating func receiveHeaders(
        _ stream: UInt32,
        _ fields: [HTTP2Event.Field],
        _ isLast: Bool
    ) throws(HTTP2Error) {
        if requests[stream] != nil {
            // Trailers.
            if isLast {
                finish(stream)
            }
            return
        }
        guard stream % 2 == 1, stream > highestStream else {
            throw .malformed("stream \(stream) cannot be opened")
        }
        highestStream = stream
        guard requests.count < Self.requestLimit else {
            refuse(stream, .resourceExhausted, "too many calls at a time")
            return
        }
        requests[stream] = Request(path: fields.first { $0.name == ":path" }?.value ?? "")
        if isLast {
            finish(stream)
        }
    }

    private mutating func receiveData(_ stream: UInt32, _ data: [UInt8], _ size: Int, _ isLast: Bool) {
        // The client may send as much again: the size of a message is what limits memory.
        if size > 0 {
            HTTP2Frame.appendWindow(size, stream: 0, to: &output)
        }
        // The request itself is not held, so that its body is appended to in place.
        guard let received = requests[stream]?.body.count else {
            return
        }
        guard received + data.count <= Self.messageLimit + Self.prefix else {
            requests[stream] = nil
            refuse(stream, .resourceExhausted, "a message is longer than \(Self.messageLimit) bytes")
            return
        }
        requests[stream]?.body += data
        if isLast {
            finish(stream)
        } else if size > 0 {
            HTTP2Frame.appendWindow(size, stream: stream, to: &output)
        }
    }

    /// The size of what precedes a message: whether it is compressed, and its length.
    private static let prefix = 5

    /// The request is complete.
    private mutating func finish(_ stream: UInt32) {
        guard let request = requests.removeValue(forKey: stream) else {
            return
        }
        let body = request.body
        guard body.count >= Self.prefix, body[0] == 0,
            body[1..<Self.prefix].bigEndian == body.count - Self.prefix
        else {
            refuse(stream, .invalidArgument, "not one uncompressed message")
            return
        }
        calls.append(Call(stream: stream, path: request.path, message: Array(body[Self.prefix...])))
    }
}
