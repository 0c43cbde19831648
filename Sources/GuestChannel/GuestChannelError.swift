// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// What is wrong with what the other end sent.
public enum GuestChannelError: Error, Hashable, CustomStringConvertible {
    /// A message is not what docs/guest_channel.proto describes.
    case malformed(String)
    /// A frame claims that size, in bytes.
    case frameTooLong(Int)
    /// The stream has no frame where one begins.
    case noFrame
    /// The other end speaks no version that this one knows.
    case version(UInt64)
    /// Records came before a hello.
    case noHello
    /// The number of a record is not above that of the one before it.
    case order(UInt64)

    public var description: String {
        switch self {
        case .malformed(let reason): "malformed message: \(reason)"
        case .frameTooLong(let size): "a frame claims \(size) bytes, more than \(GuestFrame.limit)"
        case .noFrame: "no frame begins where one is expected"
        case .version(let version): "unknown protocol version \(version); update the older of agent and collector"
        case .noHello: "records without a hello"
        case .order(let sequence): "record \(sequence) is out of order"
        }
    }
}

extension ProtobufReader {
    /// As `next`, with this module's error.
    mutating func field() throws(GuestChannelError) -> (number: UInt64, value: Value)? {
        do throws(ProtobufError) {
            return try next().map { ($0.field, $0.value) }
        } catch {
            throw .malformed(error.reason)
        }
    }
}
