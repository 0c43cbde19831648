// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The client's side of unary gRPC calls over one HTTP/2 connection, one call at a time. A state machine without I/O.
public struct UnaryClient: Sendable {
    /// How a call has ended: gRPC's status (0 is success), and the server's message.
    public struct Outcome: Equatable, Sendable {
        public var status: Int
        public var message: String
    }

    private var reader = HTTP2Reader(ofClient: false)
    private var output: [UInt8] = []
    /// The stream of the last call, 0 before the first; streams of a client are odd.
    private var stream: UInt32 = 0
    private var isCalling = false
    /// The part of the request that waits for a window.
    private var body: ArraySlice<UInt8> = []
    private var connectionWindow = UnaryClient.window
    private var streamWindow = UnaryClient.window
    private var initialWindow = UnaryClient.window

    /// Bytes that a peer may be sent before it says more (section 6.9.2).
    private static let window = 65_535
    private static let largestWindow = Int(Int32.max)
    private static let initialWindowSetting: UInt16 = 4
    /// The status of a call whose stream, or connection, ended without one (gRPC: UNAVAILABLE).
    private static let unavailable = 14

    public init() {
        output = HTTP2Frame.preface
        // No push (SETTINGS_ENABLE_PUSH): nothing but the response is expected.
        HTTP2Frame.append(.settings, stream: 0, [0, 2, 0, 0, 0, 0], to: &output)
    }

    /// Whether a call has not ended.
    var isBusy: Bool { isCalling }

    var hasOutput: Bool { !output.isEmpty }

    /// Bytes to send.
    public mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// Begins a call of the method at `path`, such as `/package.Service/Method`, with a message.
    public mutating func call(_ path: String, _ message: [UInt8]) {
        stream = stream == 0 ? 1 : stream + 2
        isCalling = true
        streamWindow = initialWindow
        // `:method: POST` and `:scheme: http` are in the fixed table.
        let block =
            [0x83, 0x86] + HTTP2Header.literal(name: 4, path) + HTTP2Header.literal(name: 1, "host")
            + HTTP2Header.literal(name: 31, "application/grpc") + HTTP2Header.literal("te", "trailers")
        HTTP2Frame.append(.headers, flags: HTTP2Frame.Flag.endHeaders, stream: stream, block, to: &output)
        body = ([0] + [UInt8](bigEndian: UInt32(message.count)) + message)[...]
        sendBody()
    }

    private mutating func sendBody() {
        while !body.isEmpty {
            let size = min(body.count, HTTP2Frame.limit, connectionWindow, streamWindow)
            guard size > 0 else {
                return
            }
            let piece = body.prefix(size)
            body = body.dropFirst(size)
            let flags = body.isEmpty ? HTTP2Frame.Flag.endStream : 0
            HTTP2Frame.append(.data, flags: flags, stream: stream, piece, to: &output)
            connectionWindow -= size
            streamWindow -= size
        }
    }

    /// Takes bytes from the server.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reader.append(bytes)
    }

    /// The outcome of the call, once; nil while it lasts. Throws when the server breaks the protocol or ends the
    /// connection.
    public mutating func next() throws(HTTP2Error) -> Outcome? {
        while let event = try reader.next() {
            if let outcome = try handle(event) {
                return outcome
            }
        }
        return nil
    }

    private mutating func handle(_ event: HTTP2Event) throws(HTTP2Error) -> Outcome? {
        switch event {
        case .headers(let stream, let fields, let isLast) where stream == self.stream && isCalling:
            return isLast ? end(Self.outcome(fields)) : nil
        case .data(let stream, _, let size, let isLast):
            if size > 0 {
                HTTP2Frame.appendWindow(size, stream: 0, to: &output)
            }
            guard stream == self.stream, isCalling else {
                return nil
            }
            guard !isLast else {
                return end(Self.outcome([]))
            }
            if size > 0 {
                HTTP2Frame.appendWindow(size, stream: stream, to: &output)
            }
        case .reset(let stream) where stream == self.stream && isCalling:
            return end(Outcome(status: Self.unavailable, message: "the call was reset"))
        case .settings(let settings):
            apply(settings)
        case .ping(let payload):
            HTTP2Frame.append(.ping, flags: HTTP2Frame.Flag.acknowledgement, stream: 0, payload, to: &output)
        case .window(let stream, let size):
            try open(stream, Int(size))
        case .goAway:
            throw .malformed("the server ends the connection")
        case .headers, .reset:
            // Of a call before this one.
            break
        }
        return nil
    }

    private mutating func apply(_ settings: [HTTP2Event.Setting]) {
        HTTP2Frame.append(.settings, flags: HTTP2Frame.Flag.acknowledgement, stream: 0, [], to: &output)
        for setting in settings where setting.identifier == Self.initialWindowSetting {
            let size = min(Int(setting.value), Self.largestWindow)
            streamWindow += size - initialWindow
            initialWindow = size
        }
        sendBody()
    }

    private mutating func open(_ stream: UInt32, _ size: Int) throws(HTTP2Error) {
        if stream == 0 {
            connectionWindow += size
        } else if stream == self.stream {
            streamWindow += size
        }
        guard max(connectionWindow, streamWindow) <= Self.largestWindow else {
            throw .malformed("a window is too large")
        }
        sendBody()
    }

    private mutating func end(_ outcome: Outcome) -> Outcome {
        isCalling = false
        body = []
        return outcome
    }

    private static func outcome(_ fields: [HTTP2Event.Field]) -> Outcome {
        func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        let status = value("grpc-status").flatMap { Int($0) }
        return Outcome(
            status: status ?? unavailable,
            message: value("grpc-message") ?? (status == nil ? "no status of gRPC" : "")
        )
    }
}
