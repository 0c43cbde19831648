// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import Synchronization
import TestSupport
import TestTraits
import Testing

@testable import GuestCollector

/// A connection that looks alive and carries nothing from some byte on, as after a snapshot or a migration of the VM.
@Suite("Connections that swallow what is sent", .blocking)
struct SwallowedConnectionTests {
    private static let count = 600

    private func session() -> AgentSession {
        let next = Mutex<UInt64>(0)
        return AgentSession(spoolLimit: 4 << 20, program: "test") {
            SessionID(
                9,
                next.withLock {
                    $0 += 1; return $0
                }
            )
        }
    }

    /// Carries what the session sends, and its answers, until it has nothing to send and no answer comes. Of what is sent
    /// only `limit` bytes arrive.
    private func carry(_ session: inout AgentSession, over end: GuestEnd, limit: Int, now: Int64) {
        var left = limit
        while !session.isComplete {
            var hasSent = false
            while let frame = session.nextFrame(at: now, isFlushing: true) {
                end.send(Array(frame.prefix(left)))
                left -= min(left, frame.count)
                hasSent = true
            }
            guard left > 0, let answer = end.receive(milliseconds: limit == .max ? 180_000 : 40), !answer.isEmpty else {
                if !hasSent || left == 0 {
                    return
                }
                continue
            }
            #expect(session.receive(answer, at: now) == .none || session.state != .established)
        }
    }

    @Test(
        "whatever byte the last one is that arrives, the agent connects again after 15 s, and each record is stored once",
        arguments: [0, 1, 11, 40, 60, 100, 1000, 20_000, 33_000]
    )
    func swallowed(_ limit: Int) throws {
        let fixture = try CollectorFixture()
        var session = session()
        for number in 0..<Self.count {
            var record = GuestRecord(severity: .informational, content: Array("m\(number)".utf8), source: .syslog)
            record.tag = Array(repeating: UInt8(ascii: "t"), count: 60)
            session.append(record, at: 0)
        }
        // Kept open: the collector does not see an end.
        let dead = try GuestEnd(fixture.socket)
        session.connected(at: 0)
        carry(&session, over: dead, limit: limit, now: 0)
        try #require(!session.isComplete)
        #expect(session.check(at: AgentSession.acknowledgementLimit - 1) == .none)
        #expect(session.check(at: AgentSession.acknowledgementLimit) != .none)
        session.disconnected()
        session.connected(at: AgentSession.acknowledgementLimit)
        carry(&session, over: try GuestEnd(fixture.socket), limit: .max, now: AgentSession.acknowledgementLimit)
        #expect(session.isComplete)
        #expect(try fixture.values() == (0..<Self.count).map { "m\($0)" })
        #expect(try fixture.stored().gaps.isEmpty)
        _ = dead
    }
}
