// SPDX-License-Identifier: Apache-2.0

import HTTPClient

/// Syslog messages over a byte stream, with octet counting (RFC 6587, section 3.4.1).
///
/// Syslog over TCP has no acknowledgements. A message counts as delivered when the other host's kernel has acknowledged
/// it; what the daemon there has not read when it is killed is lost.
actor StreamLink: StreamSyslogLink {
    let peer: NetworkPeer
    let settings: ByteConnection.Settings
    var connection: ByteConnection?

    init(_ peer: NetworkPeer, tls: TLSClientSettings?) {
        self.peer = peer
        settings = ByteConnection.Settings(tls: tls)
    }

    /// Nothing precedes the first message.
    func begin(on connection: ByteConnection) {}

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        var frames: [UInt8] = []
        frames.reserveCapacity(batch.bytes.count + items.count * 8)
        for item in items {
            frames.append(contentsOf: "\(batch.items[item].range.count) ".utf8)
            batch.append(item, to: &frames)
        }
        do {
            let connection = try await open()
            try await connection.write(frames, within: OutputLimits.answer)
            try await connection.drain(within: OutputLimits.answer)
            guard connection.isOpen else {
                throw HTTPClientError(.closed, "\(peer) closed the connection")
            }
            return .accepted()
        } catch {
            close()
            return .unavailable("\(error)")
        }
    }
}
