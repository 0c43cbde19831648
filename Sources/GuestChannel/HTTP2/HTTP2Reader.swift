// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What a frame, or a header block of several frames, says.
public enum HTTP2Event: Equatable, Sendable {
    public struct Field: Equatable, Sendable {
        public var name: String
        public var value: String
    }

    public struct Setting: Equatable, Sendable {
        public var identifier: UInt16
        public var value: UInt32
    }

    case headers(stream: UInt32, [Field], isLast: Bool)
    /// `size`: what it takes of the windows, padding included.
    case data(stream: UInt32, [UInt8], size: Int, isLast: Bool)
    case reset(stream: UInt32)
    case settings([Setting])
    case ping([UInt8])
    case goAway
    /// The peer may be sent so many more bytes, on a stream or, with 0, on the connection.
    case window(stream: UInt32, UInt32)
}

/// Reads the frames of one HTTP/2 connection, which arrive in pieces of any size. Memory: one frame, one header block and
/// one piece.
public struct HTTP2Reader: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private var awaitsPreface: Bool
    private var headers = HeaderDecoder()
    /// A header block that continues in the next frame.
    private var block: (stream: UInt32, bytes: [UInt8], isLast: Bool)?

    private static let blockLimit = 16 << 10

    /// A reader of what a client sends, which begins with a preface, or of what a server sends.
    public init(ofClient: Bool) {
        awaitsPreface = ofClient
    }

    /// The memory of what is not complete, in bytes.
    public var memory: Int { buffer.count + (block?.bytes.count ?? 0) }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        buffer.removeFirst(start)
        start = 0
        buffer.append(contentsOf: bytes)
    }

    /// The next event; nil when more bytes are needed.
    public mutating func next() throws(HTTP2Error) -> HTTP2Event? {
        guard try takePreface() else {
            return nil
        }
        while buffer.count - start >= HTTP2Frame.headerSize {
            let head = Array(buffer[start..<start + HTTP2Frame.headerSize])
            let size = Int(head[..<3].bigEndian)
            guard size <= HTTP2Frame.limit else {
                throw .malformed("a frame of \(size) bytes")
            }
            let end = start + HTTP2Frame.headerSize + size
            guard buffer.count >= end else {
                return nil
            }
            let payload = buffer[(start + HTTP2Frame.headerSize)..<end]
            start = end
            guard block == nil || head[3] == HTTP2Frame.Kind.continuation.rawValue else {
                throw .malformed("a header block is interrupted")
            }
            let stream = UInt32(head[5...].bigEndian & 0x7fff_ffff)
            if let event = try event(HTTP2Frame.Kind(rawValue: head[3]), flags: head[4], stream: stream, payload) {
                return event
            }
        }
        return nil
    }

    private mutating func takePreface() throws(HTTP2Error) -> Bool {
        guard awaitsPreface else {
            return true
        }
        guard buffer.count - start >= HTTP2Frame.preface.count else {
            return false
        }
        guard buffer[start...].starts(with: HTTP2Frame.preface) else {
            throw .malformed("no preface")
        }
        start += HTTP2Frame.preface.count
        awaitsPreface = false
        return true
    }

    private mutating func event(
        _ kind: HTTP2Frame.Kind?,
        flags: UInt8,
        stream: UInt32,
        _ payload: ArraySlice<UInt8>
    ) throws(HTTP2Error) -> HTTP2Event? {
        let isLast = flags & HTTP2Frame.Flag.endStream != 0
        switch kind {
        case .data:
            let data = Array(try Self.unpadded(payload, flags))
            return .data(stream: stream, data, size: payload.count, isLast: isLast)
        case .headers:
            var fragment = try Self.unpadded(payload, flags)
            if flags & HTTP2Frame.Flag.priority != 0 {
                fragment = fragment.dropFirst(5)
            }
            block = (stream, Array(fragment), isLast)
            return try finishBlock(flags)
        case .continuation:
            guard let current = block, current.stream == stream,
                current.bytes.count + payload.count <= Self.blockLimit
            else {
                throw .malformed("a header block that belongs to none, or is too long")
            }
            block?.bytes += payload
            return try finishBlock(flags)
        case .reset:
            return .reset(stream: stream)
        case .settings where flags & HTTP2Frame.Flag.acknowledgement == 0:
            return .settings(try Self.settings(payload))
        case .ping where flags & HTTP2Frame.Flag.acknowledgement == 0:
            guard payload.count == 8 else {
                throw .malformed("a ping of \(payload.count) bytes")
            }
            return .ping(Array(payload))
        case .windowUpdate:
            guard payload.count == 4 else {
                throw .malformed("a window update of \(payload.count) bytes")
            }
            return .window(stream: stream, UInt32(payload.bigEndian & 0x7fff_ffff))
        case .goAway:
            return .goAway
        case .settings, .ping, .priority, nil:
            // Unknown frames are ignored (section 5.5).
            return nil
        }
    }

    private static func settings(_ payload: ArraySlice<UInt8>) throws(HTTP2Error) -> [HTTP2Event.Setting] {
        guard payload.count.isMultiple(of: 6) else {
            throw .malformed("settings of \(payload.count) bytes")
        }
        return stride(from: payload.startIndex, to: payload.endIndex, by: 6).map { at in
            HTTP2Event.Setting(
                identifier: UInt16(payload[at..<at + 2].bigEndian),
                value: UInt32(payload[(at + 2)..<(at + 6)].bigEndian)
            )
        }
    }

    private static func unpadded(
        _ payload: ArraySlice<UInt8>,
        _ flags: UInt8
    ) throws(HTTP2Error) -> ArraySlice<UInt8> {
        guard flags & HTTP2Frame.Flag.padded != 0 else {
            return payload
        }
        guard let padding = payload.first, Int(padding) < payload.count else {
            throw .malformed("more padding than payload")
        }
        return payload.dropFirst().dropLast(Int(padding))
    }

    /// The block's fields, if it is complete. They are decoded in any case: that changes the table.
    private mutating func finishBlock(_ flags: UInt8) throws(HTTP2Error) -> HTTP2Event? {
        guard flags & HTTP2Frame.Flag.endHeaders != 0, let (stream, bytes, isLast) = block else {
            return nil
        }
        block = nil
        return .headers(stream: stream, try headers.decode(bytes), isLast: isLast)
    }
}
