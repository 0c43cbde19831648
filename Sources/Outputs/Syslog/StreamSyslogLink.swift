// SPDX-License-Identifier: Apache-2.0

import HTTPClient

/// A link over a byte stream, which is opened when there is something to send, and anew after a failure.
protocol StreamSyslogLink: SyslogLink, Actor {
    var peer: NetworkPeer { get }
    var settings: ByteConnection.Settings { get }
    var connection: ByteConnection? { get set }

    /// Begins the protocol on a new connection.
    func begin(on connection: ByteConnection) async throws
}

extension StreamSyslogLink {
    /// The connection, which is opened if it is not.
    func open() async throws -> ByteConnection {
        if let connection, connection.isOpen {
            return connection
        }
        let fresh = try await ByteConnection.connect(to: peer, settings)
        try await begin(on: fresh)
        connection = fresh
        return fresh
    }

    func close() {
        connection?.close()
        connection = nil
    }
}

extension ByteConnection.Settings {
    /// Settings with TLS; nil: without.
    init(tls: TLSClientSettings?) {
        self.init()
        self.tls = tls
    }
}
