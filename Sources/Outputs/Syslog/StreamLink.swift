// SPDX-License-Identifier: Apache-2.0

import HTTPClient

/// Syslog messages over a byte stream, with octet counting (RFC 6587, section 3.4.1).
///
/// Syslog over TCP has no acknowledgements. A message counts as delivered when the other host's kernel has acknowledged
/// it. A proxy whose server is away takes messages too, and closes the connection a moment later: so the first messages
/// on a connection count only when it has stayed open for some time, and later ones are kept as long, and sent again
/// when it was closed meanwhile.
actor StreamLink: StreamSyslogLink {
    let peer: NetworkPeer
    let settings: ByteConnection.Settings
    var connection: ByteConnection?
    /// How long a connection must stay open after messages.
    private let proof: Duration
    /// The messages that the connection has not outlived by `proof`, the oldest first.
    private var unproven: [(frames: [UInt8], sent: ContinuousClock.Instant)] = []

    /// Of more bytes than these in `unproven`, the oldest batches are dropped; the last one is kept whatever its size.
    private static let mostUnproven = 1 << 20

    init(_ peer: NetworkPeer, tls: TLSClientSettings?, proof: Duration = .seconds(5)) {
        self.peer = peer
        self.proof = proof
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
        let isFresh = connection?.isOpen != true
        do {
            if isFresh {
                forget()
            }
            let connection = try await open()
            if isFresh {
                try await resend(on: connection)
            }
            try await connection.write(frames, within: OutputLimits.answer)
            if isFresh {
                try await prove(connection)
            } else {
                try await connection.drain(within: OutputLimits.answer)
                guard connection.isOpen else {
                    throw connection.reason
                }
                keep(frames)
            }
            return .accepted()
        } catch {
            // Age proves nothing of what was sent again on a connection that has not proven itself.
            if isFresh {
                close()
            } else {
                forget()
            }
            return .unavailable("\(error)")
        }
    }

    private func resend(on connection: ByteConnection) async throws {
        for index in unproven.indices {
            try await connection.write(unproven[index].frames, within: OutputLimits.answer)
            unproven[index].sent = .now
        }
    }

    /// Waits until everything that was sent on a new connection is proven.
    private func prove(_ connection: ByteConnection) async throws {
        do {
            try await connection.drain(within: OutputLimits.answer)
            guard await connection.staysOpen(for: proof) else {
                throw connection.reason
            }
        } catch let error as HTTPClientError where error.kind == .closed {
            throw HTTPClientError(
                .closed,
                "\(error) within \(proof.components.seconds) s after messages were sent, so they may be lost: "
                    + "if it is a proxy, check the server behind it"
            )
        }
        unproven = []
    }

    private func keep(_ frames: [UInt8]) {
        let now = ContinuousClock.now
        unproven.removeAll { now - $0.sent >= proof }
        unproven.append((frames, now))
        while unproven.count > 1, unproven.reduce(0, { $0 + $1.frames.count }) > Self.mostUnproven {
            unproven.removeFirst()
        }
    }

    /// Closes the connection, if there is one, and forgets the messages that it has outlived.
    private func forget() {
        guard let connection else {
            return
        }
        let end = connection.closed ?? .now
        unproven.removeAll { end - $0.sent >= proof }
        close()
    }
}
