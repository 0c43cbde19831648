// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A message of which exactly one field is present (`oneof`), as all of docs/guest_channel.proto.
protocol ChannelMessage {
    /// The message whose field `number` has these contents; nil when there is no such field, in a newer version.
    init?(field number: UInt64, _ contents: UnsafeRawBufferPointer) throws(GuestChannelError)
    /// What is wrong with a message in which no known field is present.
    static var absence: String { get }
}

extension ChannelMessage {
    static func decode(_ payload: [UInt8]) throws(GuestChannelError) -> Self {
        try payload.span.bytes.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(GuestChannelError) in
            var reader = ProtobufReader(bytes)
            while let (number, value) = try reader.field() {
                if let message = try Self(field: number, value.bytes) {
                    return message
                }
            }
            throw .malformed(absence)
        }
    }
}
