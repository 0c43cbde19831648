// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import NIOConcurrencyHelpers
import TestServers
import TestSupport
import Testing

@testable import Outputs

/// A batch with one message.
private func batch(_ text: String) -> OutputBatch {
    var batch = OutputBatch()
    batch.bytes = Array(text.utf8)
    batch.items = [OutputBatch.Item(range: 0..<batch.bytes.count, origin: 0, id: text, time: 0)]
    return batch
}

@Suite struct StreamLinkTests {
    private func peer(_ server: StandInStream) -> NetworkPeer { .network(host: "127.0.0.1", port: UInt16(server.port)) }

    @Test("messages that a proxy takes before it closes the connection are not delivered, and are sent again")
    func proxy() async throws {
        let isAway = NIOLockedValueBox(true)
        let received = NIOLockedValueBox<[UInt8]>([])
        let server = try StandInStream { bytes in
            guard isAway.withLockedValue({ !$0 }) else {
                return .init(taken: bytes.count, answer: nil)
            }
            received.withLockedValue { $0 += bytes }
            return .init(taken: bytes.count, answer: [])
        }
        let patient = StreamLink(peer(server), tls: nil, proof: .seconds(60))
        for count in 1...2 {
            guard case .unavailable(let reason, _) = await patient.send([0], of: batch("one")) else {
                Issue.record("delivered")
                return
            }
            #expect(reason.contains("closed the connection within 60 s after messages were sent"), "\(reason)")
            #expect(server.connections == count)
        }
        await patient.close()
        isAway.withLockedValue { $0 = false }
        let link = StreamLink(peer(server), tls: nil, proof: .milliseconds(100))
        #expect(await link.send([0], of: batch("one")) == .accepted())
        // The kernel has taken it before the server does.
        #expect(await awaits { received.withLockedValue { $0 } == Array("3 one".utf8) })
        await link.close()
    }

    @Test("messages after which a connection is closed at once are sent again before the next ones")
    func closedLater() async throws {
        let received = NIOLockedValueBox<[UInt8]>([])
        let isCut = NIOLockedValueBox(false)
        let server = try StandInStream { bytes in
            received.withLockedValue { $0 += bytes }
            let isLast =
                bytes.contains(UInt8(ascii: "b"))
                && isCut.withLockedValue { isCut in
                    defer { isCut = true }
                    return !isCut
                }
            return .init(taken: bytes.count, answer: isLast ? nil : [])
        }
        // A busy server needs some time to close a connection.
        let link = StreamLink(peer(server), tls: nil, proof: .seconds(10))
        #expect(await link.send([0], of: batch("a")) == .accepted())
        let isTaken = await link.send([0], of: batch("b")) == .accepted()
        #expect(await awaits { await link.connection?.isOpen != true })
        if !isTaken {
            // The connection was closed before the kernel said that the message has arrived.
            #expect(await link.send([0], of: batch("b")) == .accepted())
        }
        #expect(await link.send([0], of: batch("c")) == .accepted())
        #expect(await link.send([0], of: batch("d")) == .accepted())
        #expect(await awaits { received.withLockedValue { $0 } == Array("1 a1 b1 b1 c1 d".utf8) })
        await link.close()
    }
}
