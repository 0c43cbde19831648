// SPDX-License-Identifier: Apache-2.0

/// A message: its header and its body.
public struct Message: Equatable, Sendable {
    public var header: MessageHeader
    /// Positioned at the body.
    public var body: XDRReader
}

/// Splits the bytes received on a connection into messages. It allocates no memory for announced lengths, only for
/// received bytes.
public struct MessageBuffer: Sendable {
    private var received: [UInt8] = []

    public init() {}

    /// Appends received bytes.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        received.append(contentsOf: bytes)
    }

    /// The next message, when it is complete. Throws for an invalid length, after which the connection cannot be used.
    public mutating func next() throws(XDRReader.Malformed) -> Message? {
        guard received.count >= MessageHeader.lengthSize else {
            return nil
        }
        var lengthReader = XDRReader(received.prefix(MessageHeader.lengthSize))
        let length = Int(try lengthReader.unsigned())
        let least = MessageHeader.lengthSize + MessageHeader.size
        guard (least...MessageHeader.maximumMessage).contains(length) else {
            throw XDRReader.Malformed()
        }
        guard received.count >= length else {
            return nil
        }
        var reader = XDRReader(received[MessageHeader.lengthSize..<length])
        received.removeFirst(length)
        return Message(header: try MessageHeader(&reader), body: reader)
    }
}
