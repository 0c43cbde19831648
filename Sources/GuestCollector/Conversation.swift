// SPDX-License-Identifier: Apache-2.0

/// One protocol on a connection: takes its bytes, and gives its records to the guest's logs.
protocol Conversation: AnyObject {
    /// Takes bytes of the stream.
    func receive(_ bytes: UnsafeRawBufferPointer)
    /// Handles what was received, as far as there is space. Throws when the peer breaks the protocol.
    func advance() throws -> ConversationState
    /// The peer has ended the stream; everything received is handled. Throws as `advance` does.
    func end() throws -> ConversationState
    /// The memory of what was received and the log has not taken, in bytes.
    var memory: Int { get }
    /// Whether records wait that the log has not taken.
    var isWaiting: Bool { get }
    /// Whether the peer keeps what is not read: it is read only while its guest is within its rates. What must not wait is
    /// read on, and dropped.
    var canWait: Bool { get }
    /// The peer is not read for a moment, because its guest is over its rates.
    func notePause()
}

extension Conversation {
    var canWait: Bool { true }

    func notePause() {}
}

/// How far a conversation got.
enum ConversationState: Hashable {
    /// It needs more bytes.
    case needsBytes
    /// It waits for the store: nothing is read from the peer meanwhile.
    case blocked
    /// It has ended.
    case ended
}

/// What a conversation can do with its connection.
protocol ConversationHost: AnyObject {
    /// Sends bytes to the peer.
    func send(_ bytes: [UInt8])
    /// Continues a conversation that waited: for space, for the stream to be open, or for a commit.
    func resume()
    /// Runs `body` after so many microseconds, unless the connection has ended.
    func schedule(afterMicroseconds delay: Int64, _ body: @escaping () -> Void)
}
