// SPDX-License-Identifier: Apache-2.0

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

    private var buffer: [UInt8] = []
    private var start = 0
    private var hasPreface = false
    private var headers = HeaderDecoder()
    private var requests: [UInt32: Request] = [:]
    /// A header block that continues in the next frame.
    private var block: (stream: UInt32, bytes: [UInt8], isLast: Bool)?
    private var highestStream: UInt32 = 0
    private var calls: [Call] = []
    /// Bytes to send.
    private(set) var output: [UInt8] = []

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// Maximum size of a request's message, in bytes.
    static let messageLimit = 1 << 20
    /// Maximum number of requests at a time; announced to the client.
    private static let requestLimit = 4
    /// Maximum size of a frame's payload; the protocol's default.
    private static let frameLimit = 16 << 10
    private static let blockLimit = 16 << 10

    private enum FrameType: UInt8 {
        case data = 0
        case headers = 1
        case priority = 2
        case reset = 3
        case settings = 4
        case ping = 6
        case goAway = 7
        case windowUpdate = 8
        case continuation = 9
    }

    private enum Flag {
        static let endStream: UInt8 = 1
        static let acknowledgement: UInt8 = 1
        static let endHeaders: UInt8 = 4
        static let padded: UInt8 = 8
        static let priority: UInt8 = 32
    }

    init() {
        // SETTINGS_MAX_CONCURRENT_STREAMS.
        writeFrame(.settings, stream: 0, [0, 3, 0, 0, 0, UInt8(Self.requestLimit)])
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        buffer.removeFirst(start)
        start = 0
        buffer.append(contentsOf: bytes)
    }

    /// The next request; nil when more bytes are needed.
    mutating func next() throws(HTTP2Error) -> Call? {
        while calls.isEmpty {
            guard try takeFrame() else {
                return nil
            }
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
        writeFrame(.headers, flags: Flag.endHeaders, stream: stream, Self.responseHeaders)
        writeFrame(.data, stream: stream, [0, 0, 0, 0, 0])
        writeTrailers(stream, .ok, "", isOnly: false)
    }

    /// Refuses a call.
    mutating func refuse(_ stream: UInt32, _ status: Status, _ reason: String) {
        writeTrailers(stream, status, reason, isOnly: true)
    }

    /// `:status: 200` (index 8), and `content-type: application/grpc` as a literal with the name of index 31.
    private static let responseHeaders = [0x88] + literal(name: 31, "application/grpc")

    private mutating func writeTrailers(_ stream: UInt32, _ status: Status, _ reason: String, isOnly: Bool) {
        var block = isOnly ? Self.responseHeaders : []
        block += Self.literal("grpc-status", String(status.rawValue))
        if !reason.isEmpty {
            block += Self.literal("grpc-message", reason)
        }
        writeFrame(.headers, flags: Flag.endHeaders | Flag.endStream, stream: stream, block)
    }

    /// A literal field that no table takes up (RFC 7541, section 6.2.2), whose name has an index below 127 + 15.
    private static func literal(name: Int, _ value: String) -> [UInt8] {
        [0x0f, UInt8(name - 15)] + string(value)
    }

    private static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0] + string(name) + string(value)
    }

    /// A string of less than 127 bytes, as all of ours are.
    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8.prefix(126))
        return [UInt8(bytes.count)] + bytes
    }

    private mutating func writeFrame(_ type: FrameType, flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8]) {
        let size = payload.count
        output += [UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255), type.rawValue, flags]
        output += Self.bigEndian(stream)
        output += payload
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    // MARK: - Frames

    private static let frameHeader = 9

    private mutating func takeFrame() throws(HTTP2Error) -> Bool {
        guard try takePreface(), buffer.count - start >= Self.frameHeader else {
            return false
        }
        let head = Array(buffer[start..<start + Self.frameHeader])
        let size = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        guard size <= Self.frameLimit else {
            throw .malformed("a frame of \(size) bytes")
        }
        guard buffer.count - start >= Self.frameHeader + size else {
            return false
        }
        let stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let payload = buffer[(start + Self.frameHeader)..<(start + Self.frameHeader + size)]
        start += Self.frameHeader + size
        guard block == nil || head[3] == FrameType.continuation.rawValue else {
            throw .malformed("a header block is interrupted")
        }
        try handle(FrameType(rawValue: head[3]), flags: head[4], stream: stream, payload)
        return true
    }

    private mutating func takePreface() throws(HTTP2Error) -> Bool {
        guard !hasPreface else {
            return true
        }
        guard buffer.count - start >= Self.preface.count else {
            return false
        }
        guard buffer[start...].starts(with: Self.preface) else {
            throw .malformed("no preface")
        }
        start += Self.preface.count
        hasPreface = true
        return true
    }

    private mutating func handle(
        _ type: FrameType?,
        flags: UInt8,
        stream: UInt32,
        _ payload: ArraySlice<UInt8>
    ) throws(HTTP2Error) {
        switch type {
        case .data:
            try takeData(stream, try Self.unpadded(payload, flags), whole: payload.count, flags)
        case .headers:
            var fragment = try Self.unpadded(payload, flags)
            if flags & Flag.priority != 0 {
                fragment = fragment.dropFirst(5)
            }
            block = (stream, Array(fragment), flags & Flag.endStream != 0)
            try finishBlock(flags)
        case .continuation:
            guard let current = block, current.stream == stream,
                current.bytes.count + payload.count <= Self.blockLimit
            else {
                throw .malformed("a header block that belongs to none, or is too long")
            }
            block?.bytes += payload
            try finishBlock(flags)
        case .reset:
            requests[stream] = nil
        case .settings where flags & Flag.acknowledgement == 0:
            writeFrame(.settings, flags: Flag.acknowledgement, stream: 0, [])
        case .ping where flags & Flag.acknowledgement == 0:
            guard payload.count == 8 else {
                throw .malformed("a ping of \(payload.count) bytes")
            }
            writeFrame(.ping, flags: Flag.acknowledgement, stream: 0, Array(payload))
        case .settings, .ping, .priority, .goAway, .windowUpdate, nil:
            // Responses are a few bytes: they need no window. Unknown frames are ignored (section 5.5).
            break
        }
    }

    private static func unpadded(
        _ payload: ArraySlice<UInt8>,
        _ flags: UInt8
    ) throws(HTTP2Error) -> ArraySlice<UInt8> {
        guard flags & Flag.padded != 0 else {
            return payload
        }
        guard let padding = payload.first, Int(padding) < payload.count else {
            throw .malformed("more padding than payload")
        }
        return payload.dropFirst().dropLast(Int(padding))
    }

    private mutating func finishBlock(_ flags: UInt8) throws(HTTP2Error) {
        guard flags & Flag.endHeaders != 0, let (stream, bytes, isLast) = block else {
            return
        }
        block = nil
        // Decoded in any case: it changes the table.
        let fields = try headers.decode(bytes)
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

    private mutating func takeData(
        _ stream: UInt32,
        _ data: ArraySlice<UInt8>,
        whole: Int,
        _ flags: UInt8
    ) throws(HTTP2Error) {
        // The client may send as much again: the size of a message is what limits memory.
        if whole > 0 {
            writeFrame(.windowUpdate, stream: 0, Self.bigEndian(UInt32(whole)))
        }
        guard let request = requests[stream] else {
            return
        }
        guard request.body.count + data.count <= Self.messageLimit + Self.prefix else {
            requests[stream] = nil
            refuse(stream, .resourceExhausted, "a message is longer than \(Self.messageLimit) bytes")
            return
        }
        requests[stream]?.body += data
        if flags & Flag.endStream != 0 {
            finish(stream)
        } else if whole > 0 {
            writeFrame(.windowUpdate, stream: stream, Self.bigEndian(UInt32(whole)))
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
            body[1..<Self.prefix].reduce(0, { $0 << 8 | Int($1) }) == body.count - Self.prefix
        else {
            refuse(stream, .invalidArgument, "not one uncompressed message")
            return
        }
        calls.append(Call(stream: stream, path: request.path, message: Array(body[Self.prefix...])))
    }
}
