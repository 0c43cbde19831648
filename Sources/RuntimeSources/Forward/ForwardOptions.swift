// SPDX-License-Identifier: Apache-2.0

public import SystemIO

/// Where records of the Fluentd Forward protocol are received.
public struct ForwardOptions: Hashable, Sendable {
    public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
        case network(NetworkAddress)
        /// A Unix socket.
        case path(String)

        public var description: String {
            switch self {
            case .network(let address): address.description
            case .path(let path): path
            }
        }
    }

    public var endpoint: Endpoint
    /// The file with the key that senders must know; nil: every sender may send.
    public var sharedKeyFile: String?
    /// The name of this receiver in the handshake. Senders refuse their own.
    public var hostName: String
    /// Whether records keep the tags that they are sent with, rather than having the source's.
    public var keepsTags = true

    public init(endpoint: Endpoint, hostName: String) {
        self.endpoint = endpoint
        self.hostName = hostName
    }
}

/// The receiver's limits, with their reasons.
enum ForwardLimits {
    /// Maximum size of a message: senders make chunks of 2 MiB (Fluent Bit) or 8 MiB (Fluentd).
    static let message = 32 << 20
    /// Maximum size of a chunk's records when they are decompressed.
    static let decompressed = 64 << 20
    /// Maximum memory for incomplete messages of all senders.
    static let waiting = 128 << 20
    static let connections = 256
    /// Acknowledgements that a sender does not read, in bytes.
    static let unread = 1 << 20
    /// Chunks that are remembered, so that one that is sent again is not stored twice.
    static let recentChunks = 4096
    /// Maximum size of a chunk's id, in bytes: Fluentd's has 25, and others are remembered too.
    static let chunkID = 256
    /// How long a sender may take for the handshake, in microseconds.
    static let handshake: Int64 = 30_000_000
}
