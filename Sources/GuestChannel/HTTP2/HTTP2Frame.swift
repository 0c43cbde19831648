// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The frames of HTTP/2 (RFC 9113, sections 4 and 6), as far as unary gRPC calls need them, written.
public enum HTTP2Frame {
    public enum Kind: UInt8, Sendable {
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

    public enum Flag {
        public static let endStream: UInt8 = 1
        public static let acknowledgement: UInt8 = 1
        public static let endHeaders: UInt8 = 4
        static let padded: UInt8 = 8
        static let priority: UInt8 = 32
    }

    /// What a client sends first.
    public static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// Maximum size of a payload; the protocol's default, which neither end changes.
    static let limit = 16 << 10
    static let headerSize = 9

    /// Appends a frame to `out`; `payload` has at most `limit` bytes.
    public static func append(
        _ kind: Kind,
        flags: UInt8 = 0,
        stream: UInt32,
        _ payload: some Collection<UInt8>,
        to out: inout [UInt8]
    ) {
        let size = payload.count
        out += [UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255), kind.rawValue, flags]
        out.append(bigEndian: stream)
        out += payload
    }

    /// Appends permission to send `size` more bytes, on a stream or, with 0, on the connection.
    public static func appendWindow(_ size: Int, stream: UInt32, to out: inout [UInt8]) {
        append(.windowUpdate, stream: stream, [UInt8](bigEndian: UInt32(size)), to: &out)
    }
}

/// Header fields as written: literals that no table takes up (RFC 7541, section 6.2.2), in Huffman's code never.
public enum HTTP2Header {
    /// A field whose name has an index of the fixed table, below 127 + 15.
    public static func literal(name: Int, _ value: String) -> [UInt8] {
        (name < 15 ? [UInt8(name)] : [0x0f, UInt8(name - 15)]) + string(value)
    }

    public static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0] + string(name) + string(value)
    }

    /// A string of less than 127 bytes, as all of ours are.
    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8.prefix(126))
        return [UInt8(bytes.count)] + bytes
    }
}

/// What is wrong with an HTTP/2 connection.
public enum HTTP2Error: Error, Hashable, CustomStringConvertible {
    case malformed(String)

    public var description: String {
        switch self {
        case .malformed(let reason): "malformed HTTP/2: \(reason)"
        }
    }
}
