// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// What a collector sends: the message `FromCollector` of docs/guest_channel.proto.
public enum CollectorMessage: Equatable, Sendable {
    /// Sent first on each connection. An agent in mid-conversation, which has not noticed that the collector is another
    /// one, says hello.
    case greeting(version: UInt64)
    /// The answer to a hello: the session's records up to this number are stored. `check` is the last one's; nil: it is
    /// unknown.
    case welcome(session: SessionID, acknowledged: UInt64, check: UInt32? = nil)
    /// The session's records up to this number are stored. Repeated while some are not, as a sign of life.
    case acknowledgement(UInt64)
    /// The collector closes the connection for this reason.
    case refusal(String)

    private static let longestReason = 256

    public var encoded: [UInt8] {
        var out: [UInt8] = []
        switch self {
        case .greeting(let version):
            ProtobufWriter.append(1, to: &out) { ProtobufWriter.append(1, nonzero: version, to: &$0) }
        case .welcome(let session, let acknowledged, let check):
            ProtobufWriter.append(2, to: &out) { inner in
                ProtobufWriter.append(1, nonempty: session.bytes, to: &inner)
                ProtobufWriter.append(2, nonzero: acknowledged, to: &inner)
                if let check {
                    ProtobufWriter.append(3, varint: UInt64(check), to: &inner)
                }
            }
        case .acknowledgement(let sequence):
            ProtobufWriter.append(3, to: &out) { ProtobufWriter.append(1, nonzero: sequence, to: &$0) }
        case .refusal(let reason):
            let text = Array(reason.prefix(utf8: Self.longestReason).utf8)
            ProtobufWriter.append(4, to: &out) { ProtobufWriter.append(1, nonempty: text, to: &$0) }
        }
        return out
    }

    public init(decoding payload: [UInt8]) throws(GuestChannelError) {
        self = try Self.decode(payload)
    }
}

extension CollectorMessage: ChannelMessage {
    static let absence = "no message of a collector"

    init?(field number: UInt64, _ contents: UnsafeRawBufferPointer) throws(GuestChannelError) {
        var count: UInt64 = 0
        var check: UInt32?
        var text = UnsafeRawBufferPointer(start: nil, count: 0)
        var reader = ProtobufReader(contents)
        while let (inner, value) = try reader.field() {
            switch value {
            case .number(let value) where inner <= 2: count = value
            case .number(let value) where inner == 3: check = UInt32(exactly: value)
            case .bytes(let bytes) where inner == 1: text = bytes
            default: break
            }
        }
        switch number {
        case 1: self = .greeting(version: count)
        case 2:
            guard let session = SessionID(text) else {
                throw .malformed("a session is identified by 16 bytes")
            }
            self = .welcome(session: session, acknowledged: count, check: check)
        case 3: self = .acknowledgement(count)
        case 4: self = .refusal(String(decoding: text.prefix(Self.longestReason), as: UTF8.self))
        default: return nil
        }
    }
}
