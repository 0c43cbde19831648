// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture
@testable import GuestCollector

/// The host's clock, set forward by a test.
private final class ShiftedClock: HostClock {
    private let shift = Atomic<Int64>(0)

    func wallMicroseconds() -> Int64 { SystemClock().wallMicroseconds() + shift.load(ordering: .relaxed) }
    func monotonicMicroseconds() -> Int64 { SystemClock().monotonicMicroseconds() + shift.load(ordering: .relaxed) }
    func advance(minutes: Int64) { shift.wrappingAdd(minutes * 60_000_000, ordering: .relaxed) }
}

@Suite(.blocking) struct IdleGuestTests {
    private let clock = ShiftedClock()
    private let fixture: CollectorFixture

    init() throws {
        fixture = try CollectorFixture(clock: clock)
    }

    /// Connects the agent, which sends the records `numbers`; returns the number that the collector has already.
    private func connect(sending numbers: ClosedRange<UInt64>) throws -> (end: GuestEnd, stored: UInt64?) {
        let end = try GuestEnd(fixture.socket)
        end.send(.hello(AgentMessage.Hello(session: SessionID(1, 2))))
        guard case .welcome(_, let stored, _)? = try end.message() else {
            return (end, nil)
        }
        end.send(
            .records(
                numbers.map { number in
                    var record = GuestRecord(content: Array("m\(number)".utf8), source: .syslog)
                    record.sequence = number
                    return record
                }
            )
        )
        #expect(try end.awaitAcknowledgement(numbers.upperBound))
        return (end, stored)
    }

    /// Whether the guest's stream is open so many minutes later.
    private func isOpen(after minutes: Int64) -> Bool {
        clock.advance(minutes: minutes)
        // Timers that are due fire in the turn of the first call.
        (0..<2).forEach { _ in fixture.collector.eventLoop.perform {} }
        return fixture.capture.claims.withLock { [key = StreamKey(name: "web", stream: .guest)] in $0.contains(key) }
    }

    @Test("a guest whose connections have all been silent for a minute gets another in place of the oldest")
    func silent() throws {
        var ends: [GuestEnd] = []
        for number in 0..<GuestLimits.default.connections {
            let (end, stored) = try connect(sending: UInt64(number + 1)...UInt64(number + 1))
            #expect(stored != nil)
            ends.append(end)
        }
        let refused = try GuestEnd(fixture.socket)
        #expect(refused.isClosed())
        clock.advance(minutes: 2)
        let (last, stored) = try connect(sending: 17...17)
        #expect(stored == 16)
        #expect(ends[0].isClosed())
        withExtendedLifetime((ends, last)) {
            #expect(eventually { fixture.collector.state.connections == 16 })
        }
    }

    @Test("a guest's streams are closed a while after its last connection; its records are stored once all the same")
    func idle() throws {
        var (end, stored): (GuestEnd?, UInt64?) = try connect(sending: 1...3)
        #expect(stored == 0 && isOpen(after: 11))
        end = nil
        #expect(eventually { fixture.collector.state.connections == 0 })
        #expect(isOpen(after: 9))
        // A connection in between begins the time anew.
        (end, stored) = try connect(sending: 1...4)
        #expect(stored == 3)
        end = nil
        #expect(eventually { fixture.collector.state.connections == 0 })
        #expect(isOpen(after: 9))
        #expect(!isOpen(after: 2))
        (end, stored) = try connect(sending: 1...6)
        #expect(stored == 4)
        #expect(try fixture.values() == (1...6).map { "m\($0)" })
        fixture.stop()
        _ = end
    }
}
