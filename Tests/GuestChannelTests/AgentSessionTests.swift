// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import TestSupport
import TestTraits
import Testing

@testable import GuestChannel

/// A collector without I/O, over a link that can lose everything at any time.
private struct ModelCollector {
    private(set) var stored: [String] = []
    /// Missing numbers, by the record before which they are missing.
    private(set) var lost: UInt64 = 0
    private var numbers: [SessionID: UInt64] = [:]
    private var checks: [SessionID: UInt32] = [:]
    private var hello: AgentMessage.Hello?
    private var decoder = FrameDecoder(resynchronizes: false)

    mutating func connect() {
        (hello, decoder) = (nil, FrameDecoder(resynchronizes: false))
    }

    /// Takes a frame, stores what is new, and answers.
    mutating func receive(_ frame: [UInt8]) throws -> [CollectorMessage] {
        frame.withUnsafeBytes { decoder.append($0) }
        var answers: [CollectorMessage] = []
        while let payload = try decoder.next() {
            switch try AgentMessage(decoding: payload) {
            case .hello(let hello):
                self.hello = hello
                let number = numbers[hello.session] ?? hello.acknowledged
                let check = checks[hello.session]
                answers.append(.welcome(session: hello.session, acknowledged: number, check: check))
            case .records(let records):
                let hello = try #require(hello)
                for record in records {
                    let last = max(numbers[hello.session] ?? 0, hello.acknowledged)
                    guard record.sequence > last else {
                        continue
                    }
                    lost += record.sequence - last - 1
                    numbers[hello.session] = record.sequence
                    checks[hello.session] = record.check
                    stored.append(String(decoding: record.content, as: UTF8.self))
                }
                answers.append(.acknowledgement(numbers[hello.session] ?? 0))
            }
        }
        return answers
    }
}

@Suite(.blocking) struct AgentSessionTests {
    private func session(spool: Int = 4 << 20) -> AgentSession {
        let count = Mutex<UInt64>(0)
        return AgentSession(spoolLimit: spool, program: "test") {
            SessionID(
                1,
                count.withLock { count in
                    count += 1
                    return count
                }
            )
        }
    }

    private func record(_ number: Int, padding: Int = 0) -> GuestRecord {
        GuestRecord(content: Array("\(number)\(String(repeating: " ", count: padding))".utf8))
    }

    /// Exchanges messages until neither end has anything to say.
    private func exchange(_ session: inout AgentSession, _ collector: inout ModelCollector, at now: Int64) throws {
        while let frame = session.nextFrame(at: now, isFlushing: true) {
            for answer in try collector.receive(frame) {
                _ = session.receive(answer, at: now)
            }
        }
    }

    @Test("records wait for a welcome, are sent once, and leave the spool when they are acknowledged")
    func once() throws {
        var session = session()
        var collector = ModelCollector()
        session.append(record(1), at: 0)
        #expect(session.nextFrame(at: 0, isFlushing: true) == nil)
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        session.append(record(2), at: 1)
        try exchange(&session, &collector, at: 1)
        #expect(collector.stored == ["1", "2"] && session.isComplete && session.checkTime == nil)
    }

    @Test("a batch waits 50 ms for more records, or until it has 32 KiB")
    func batching() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        session.append(record(1), at: 1000)
        #expect(session.nextFrame(at: 1000) == nil && session.sendTime == 51_000)
        #expect(session.nextFrame(at: 51_000) != nil)
        for number in 0..<40 {
            session.append(record(number, padding: 1000), at: 60_000)
        }
        #expect(session.nextFrame(at: 60_000) != nil)
    }

    @Test("without an acknowledgement for 15 s the connection is given up, and all is sent again")
    func silence() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        session.append(record(1), at: 0)
        // Swallowed.
        #expect(session.nextFrame(at: 100_000) != nil)
        #expect(session.check(at: 15_099_999) == .none)
        guard case .reconnect = session.check(at: 15_100_000) else {
            Issue.record("the connection is kept")
            return
        }
        session.disconnected()
        collector.connect()
        session.connected(at: 16_000_000)
        try exchange(&session, &collector, at: 16_000_000)
        #expect(collector.stored == ["1"])
    }

    @Test("a sign of life from the collector keeps the connection, though nothing is stored yet")
    func life() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        session.append(record(1), at: 0)
        _ = session.nextFrame(at: 0, isFlushing: true)
        #expect(session.receive(.acknowledgement(0), at: 14_000_000) == .none)
        #expect(session.check(at: 28_999_999) == .none)
        #expect(session.check(at: 29_000_000) != .none)
    }

    @Test("a hello without a welcome is given up after 15 s")
    func noWelcome() {
        var session = session()
        session.connected(at: 0)
        #expect(session.nextFrame(at: 0) != nil)
        #expect(session.check(at: 15_000_000) != .none)
    }

    @Test("the spool drops the oldest within its limit, and the numbers tell exactly how many")
    func overflow() throws {
        var session = session(spool: 64 << 10)
        var collector = ModelCollector()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        session.append(record(0), at: 0)
        try exchange(&session, &collector, at: 0)
        session.disconnected()
        for number in 1...5000 {
            session.append(record(number, padding: 50), at: 0)
            #expect(session.spool.size <= 64 << 10)
        }
        let dropped = session.spool.dropped
        #expect(dropped > 4000)
        collector.connect()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        #expect(collector.lost == dropped && UInt64(collector.stored.count) == 5001 - dropped)
        #expect(collector.stored.last?.hasPrefix("5000") == true)
    }

    @Test("a VM that was set back to a snapshot loses nothing: its numbers mean other records then")
    func snapshot() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        session.append(record(1), at: 0)
        try exchange(&session, &collector, at: 0)
        let snapshot = session
        for number in 2...10 {
            session.append(record(number), at: 0)
        }
        try exchange(&session, &collector, at: 0)
        // Restored: the connection is dead, and looks alive.
        session = snapshot
        session.append(record(102), at: 0)
        session.disconnected()
        collector.connect()
        session.connected(at: 0)
        session.append(record(103), at: 0)
        try exchange(&session, &collector, at: 0)
        #expect(collector.stored == (1...10).map(String.init) + ["102", "103"] && collector.lost == 0)
    }

    @Test("a VM that was set back writes into a dead connection first: what has numbers of lost records is stored too")
    func snapshotAndDeadConnection() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        session.append(record(1), at: 0)
        try exchange(&session, &collector, at: 0)
        let snapshot = session
        for number in 2...4 {
            session.append(record(number), at: 0)
        }
        try exchange(&session, &collector, at: 0)
        session = snapshot
        for number in 102...110 {
            session.append(record(number), at: 0)
        }
        while session.nextFrame(at: 0, isFlushing: true) != nil {}
        session.disconnected()
        collector.connect()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        #expect(collector.stored == ((1...4).map(String.init) + (102...110).map(String.init)) && collector.lost == 0)
        // Without a return nothing is sent again, though its acknowledgement was lost.
        session.append(record(111), at: 0)
        let frame = session.nextFrame(at: 0, isFlushing: true)
        _ = try collector.receive(try #require(frame))
        session.disconnected()
        collector.connect()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        #expect(collector.stored.suffix(2) == ["110", "111"] && session.isComplete)
    }

    @Test("another collector on the same stream greets, and gets a hello")
    func greeting() throws {
        var session = session()
        var collector = ModelCollector()
        session.connected(at: 0)
        try exchange(&session, &collector, at: 0)
        #expect(session.receive(.greeting(version: 1), at: 0) == .send)
        let frame = session.nextFrame(at: 0)
        let answers = try collector.receive(try #require(frame))
        #expect(answers.count == 1)
        // A greeting that comes with the connection's beginning is no reason for a second hello.
        session.disconnected()
        session.connected(at: 0)
        _ = session.nextFrame(at: 0)
        #expect(session.receive(.greeting(version: 1), at: 0) == .none && session.nextFrame(at: 0) == nil)
        #expect(session.receive(.greeting(version: 2), at: 0) != .none)
    }

    @Test("acknowledgements of another conversation, or of records that were never sent, change nothing")
    func stale() throws {
        var session = session()
        session.append(record(1), at: 0)
        session.connected(at: 0)
        _ = session.nextFrame(at: 0)
        #expect(session.receive(.acknowledgement(1), at: 0) == .none)
        #expect(session.receive(.welcome(session: SessionID(8, 8), acknowledged: 1), at: 0) == .none)
        #expect(!session.isComplete)
    }

    @Test("over a link that breaks anywhere, each record is stored once, in order")
    func brokenLinks() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var session = session()
        var collector = ModelCollector()
        var (now, next): (Int64, Int) = (0, 0)
        for _ in 0..<3000 {
            now += 10_000
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                session.disconnected()
                collector.connect()
                session.connected(at: now)
            case 1..<5:
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    session.append(record(next), at: now)
                    next += 1
                }
            default:
                guard session.state != .disconnected, let frame = session.nextFrame(at: now, isFlushing: true) else {
                    continue
                }
                // Lost before, or after, it was received.
                guard Int.random(in: 0..<20, using: &random) > 0 else {
                    session.disconnected()
                    collector.connect()
                    continue
                }
                let answers = try collector.receive(frame)
                guard Int.random(in: 0..<20, using: &random) > 0 else {
                    session.disconnected()
                    collector.connect()
                    continue
                }
                for answer in answers {
                    _ = session.receive(answer, at: now)
                }
            }
        }
        collector.connect()
        session.connected(at: now)
        try exchange(&session, &collector, at: now)
        #expect(collector.stored == (0..<next).map(String.init), "seed \(seed)")
        #expect(session.isComplete && collector.lost == 0)
    }
}
