// SPDX-License-Identifier: Apache-2.0

public import HTTPClient

/// The settings of an output by the Fluentd Forward protocol, version 1.
public struct ForwardSettings: Hashable, Sendable {
    /// How the entries of a message are written.
    public enum Mode: String, CaseIterable, Hashable, Sendable {
        case forward, packed, compressed
    }

    /// The receivers; the first that answers is used, the others when it does not.
    public var servers: [NetworkPeer]
    public var mode = Mode.compressed
    /// What precedes the VM and the stream in a tag.
    public var tagPrefix = "guestlog"
    public var tls: TLSClientSettings?
    /// The key that both ends know; nil: no handshake.
    public var sharedKey: [UInt8]?
    /// The user of the handshake, if the receiver requires one.
    public var user: String?
    public var password: [UInt8]?
    /// The name of this host in the handshake.
    public var hostName = "guestlog"

    public init(servers: [NetworkPeer]) {
        self.servers = servers
    }
}
