/// A message, and what comes behind its header.
public struct Message: Equatable, Sendable {
    /// What it is.
    public var header: MessageHeader
    /// Stands before the body.
    public var body: XDRReader
}

/// Cuts the bytes that arrive on a connection into messages. It holds what was put in, never more: a length that is
/// only said takes no memory.
public struct MessageBuffer: Sendable {
    private var received: [UInt8] = []

    /// An empty buffer.
    public init() {}

    /// Takes what has arrived.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        received.append(contentsOf: bytes)
    }

    /// The next message, when it is there as a whole. Throws for a length that no message has; there is no going on
    /// after that.
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
