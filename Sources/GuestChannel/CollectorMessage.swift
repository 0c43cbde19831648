// SPDX-License-Identifier: Apache-2.0

/// What a collector sends: the message `FromCollector` of docs/guest_channel.proto.
public enum CollectorMessage: Equatable, Sendable {
    /// Sent first on each connection. An agent in mid-conversation, which has not noticed that the collector is another
    /// one, says hello.
    case greeting(version: UInt64)
    /// The answer to a hello: the session's records up to this number are stored.
    case welcome(session: SessionID, acknowledged: UInt64)
    /// The session's records up to this number are stored. Repeated while some are not, as a sign of life.
    case acknowledgement(UInt64)
    /// The collector closes the connection for this reason.
    case refusal(String)

    private static let longestReason = 256

    public var encoded: [UInt8] {
        var out = ProtobufWriter()
        switch self {
        case .greeting(let version): out.write(1) { $0.write(1, version) }
        case .welcome(let session, let acknowledged):
            out.write(2) { inner in
                inner.write(1, session.bytes)
                inner.write(2, acknowledged)
            }
        case .acknowledgement(let sequence): out.write(3) { $0.write(1, sequence) }
        case .refusal(let reason): out.write(4) { $0.write(1, Array(reason.utf8.prefix(Self.longestReason))) }
        }
        return out.bytes
    }

    public init(decoding payload: [UInt8]) throws(GuestChannelError) {
        self = try payload.span.bytes.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(GuestChannelError) in
            try Self.decode(bytes)
        }
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) throws(GuestChannelError) -> CollectorMessage {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            var inner = ProtobufReader(value.bytes)
            var number: UInt64 = 0
            var text = UnsafeRawBufferPointer(start: nil, count: 0)
            while let (innerField, innerValue) = try inner.next() {
                switch innerValue {
                case .number(let value) where innerField <= 2: number = value
                case .bytes(let bytes) where innerField == 1: text = bytes
                default: break
                }
            }
            switch field {
            case 1: return .greeting(version: number)
            case 2:
                guard let session = SessionID(text) else {
                    throw .malformed("a session is identified by 16 bytes")
                }
                return .welcome(session: session, acknowledged: number)
            case 3: return .acknowledgement(number)
            case 4: return .refusal(String(decoding: text.prefix(longestReason), as: UTF8.self))
            default: break
            }
        }
        throw .malformed("no message of a collector")
    }
}
