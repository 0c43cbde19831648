// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import NIOConcurrencyHelpers
import TextFormats

/// A connection to a receiver of the Forward protocol. Used by one task at a time.
final class ForwardConnection: Sendable {
    let peer: NetworkPeer
    private let bytes: ByteConnection
    /// What was received and not read.
    private let received = NIOLockedValueBox<[UInt8]>([])

    /// How long an acknowledgement is awaited: the receiver may write to a disk first.
    private static let acknowledgementLimit = Duration.seconds(60)
    /// Maximum size of a message of the receiver.
    private static let longestMessage = 64 << 10

    /// Connects to `peer`, and proves the knowledge of the shared key if there is one.
    init(to peer: NetworkPeer, _ settings: ForwardSettings) async throws {
        self.peer = peer
        var options = ByteConnection.Settings()
        options.tls = settings.tls
        bytes = try await ByteConnection.connect(to: peer, options)
        if let key = settings.sharedKey {
            let salt = (0..<16).map { _ in UInt8.random(in: 0...255) }
            var handshake = ForwardHandshake(settings, sharedKey: key, salt: salt)
            let ping = try handshake.ping(answering: try await next(within: OutputLimits.answer))
            try await write(ping)
            do {
                try handshake.check(try await next(within: OutputLimits.answer))
            } catch let error as HTTPClientError where error.kind == .closed {
                throw HTTPClientError(
                    .closed,
                    "\(error) in the handshake: check that it has the same shared key, and knows the user"
                )
            }
        }
    }

    var isOpen: Bool { bytes.isOpen }

    func write(_ message: [UInt8]) async throws {
        try await bytes.write(message, within: OutputLimits.answer)
    }

    /// The chunk that the receiver acknowledges next: `{"ack": chunk}`.
    func acknowledgement() async throws -> String {
        let answer = try await next(within: Self.acknowledgementLimit)
        if case .array(let parts) = answer, parts.first?.text == "HELO" {
            throw HTTPClientError(.protocolViolation, "\(peer) asks for a shared key: set shared-key-file")
        }
        guard let chunk = answer["ack"]?.text else {
            throw HTTPClientError(.protocolViolation, "\(peer) answered with something else than an acknowledgement")
        }
        return chunk
    }

    /// The next message; all of it has to come within `limit`.
    private func next(within limit: Duration) async throws -> MessagePackValue {
        let end = ContinuousClock.now + limit
        while true {
            let value = try received.withLockedValue { received throws -> MessagePackValue? in
                var reader = MessagePackReader(received[...])
                do throws(MessagePackReader.Failure) {
                    let value = try reader.next()
                    received.removeFirst(reader.at)
                    return value
                } catch {
                    guard error == .incomplete, received.count <= Self.longestMessage else {
                        throw HTTPClientError(.protocolViolation, "\(peer) does not speak the Forward protocol")
                    }
                    return nil
                }
            }
            if let value {
                return value
            }
            guard let more = try await bytes.read(until: end, of: limit) else {
                throw HTTPClientError(.closed, "\(peer) closed the connection")
            }
            received.withLockedValue { $0 += more }
        }
    }

    func close() {
        bytes.close()
    }
}
