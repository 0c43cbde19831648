// SPDX-License-Identifier: Apache-2.0

import Capture
import GuestChannel
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import GuestCollector

@Suite(.blocking) struct AgentConversationTests {
    private static let session = SessionID(1, 2)

    private func records(_ numbers: ClosedRange<UInt64>) -> AgentMessage {
        .records(
            numbers.map { number in
                var record = GuestRecord(
                    severity: .error,
                    time: 1_700_000_000_000_000_000,
                    content: Array("m\(number)".utf8),
                    source: .syslog,
                    facility: 3
                )
                record.sequence = number
                record.tag = Array("app".utf8)
                return record
            }
        )
    }

    private func connect(_ fixture: CollectorFixture, session: SessionID = session, acknowledged: UInt64 = 0) throws
        -> (
            end: GuestEnd, stored: UInt64
        )
    {
        let end = try GuestEnd(fixture.socket)
        end.send(.hello(AgentMessage.Hello(session: session, acknowledged: acknowledged)))
        guard case .welcome(session, let number, _)? = try end.message() else {
            Issue.record("no welcome")
            return (end, 0)
        }
        return (end, number)
    }

    @Test("an agent that begins anew in the middle of a frame gets its welcome, though the frame never ends")
    func cutFrame() throws {
        let folder = TemporaryFolder()
        let port = try UnixSocket.listen(at: folder.path + "/port")
        let fixture = try CollectorFixture { _ in
            [CollectorOptions.Guest(vm: VMIdentity(name: "db"), endpoint: .serial(path: folder.path + "/port"))]
        }
        var connection: GuestEnd?
        #expect(
            try eventually {
                if let socket = try UnixSocket.accept(port.raw) {
                    connection = try GuestEnd(socket)
                }
                return connection != nil
            }
        )
        let end = try #require(connection)
        #expect(try end.message() == .greeting(version: GuestChannelVersion.current))
        var frame: [UInt8] = []
        GuestFrame.append([UInt8](repeating: 1, count: 30_000), to: &frame)
        end.send(Array(frame.prefix(20_000)))
        end.send(.hello(AgentMessage.Hello(session: SessionID(7, 7))))
        #expect(try end.message() == .welcome(session: SessionID(7, 7), acknowledged: 0))
        fixture.stop()
    }

    @Test("records are stored under the journal's field names, and acknowledged when they are committed")
    func stored() throws {
        let fixture = try CollectorFixture()
        let (end, number) = try connect(fixture)
        #expect(number == 0)
        end.send(records(1...3))
        #expect(try end.awaitAcknowledgement(3))
        #expect(try fixture.values() == ["m1", "m2", "m3"])
        #expect(try fixture.values(of: "PRIORITY") == ["3", "3", "3"])
        #expect(try fixture.values(of: "SYSLOG_FACILITY") == ["3", "3", "3"])
        #expect(try fixture.values(of: "SYSLOG_IDENTIFIER").first == "app")
        #expect(try fixture.values(of: "_TRANSPORT").first == "syslog")
        #expect(try fixture.values(of: "GUESTLOG_TIME").first == "2023-11-14T22:13:20.000000000Z")
        #expect(fixture.collector.state.guests == ["web"])
    }

    @Test("what is sent again on another connection, or after a restart, is stored once")
    func once() throws {
        let fixture = try CollectorFixture()
        let (first, _) = try connect(fixture)
        first.send(records(1...10))
        #expect(try first.awaitAcknowledgement(10))
        let (second, number) = try connect(fixture)
        #expect(number == 10)
        second.send(records(5...12))
        #expect(try second.awaitAcknowledgement(12))
        try fixture.restart()
        let (third, after) = try connect(fixture)
        #expect(after == 12)
        third.send(records(11...13))
        #expect(try third.awaitAcknowledgement(13))
        #expect(try fixture.values() == (1...13).map { "m\($0)" })
        #expect(try fixture.stored().gaps.isEmpty)
    }

    @Test("agents that write in turn have no gaps, also when they are more than the stream's position has place for")
    func manySessions() throws {
        let fixture = try CollectorFixture()
        let ends = try (0..<2 * SequenceTable.limit).prefix(GuestLimits.default.connections).map { number in
            try connect(fixture, session: SessionID(1, UInt64(number))).0
        }
        for number in 1...3 as ClosedRange<UInt64> {
            for end in ends {
                end.send(records(number...number))
                #expect(try end.awaitAcknowledgement(number))
            }
        }
        #expect(try fixture.stored().gaps.isEmpty)
        #expect(try fixture.values().count == 3 * ends.count)
    }

    @Test("a welcome has the check of the last stored record, after a restart too")
    func check() throws {
        let fixture = try CollectorFixture()
        let hello = AgentMessage.hello(AgentMessage.Hello(session: Self.session))
        let first = try GuestEnd(fixture.socket)
        first.send(hello)
        #expect(try first.message() == .welcome(session: Self.session, acknowledged: 0))
        first.send(records(1...10))
        #expect(try first.awaitAcknowledgement(10))
        guard case .records(let sent) = records(10...10) else {
            return
        }
        for _ in 0..<2 {
            let next = try GuestEnd(fixture.socket)
            next.send(hello)
            #expect(
                try next.message() == .welcome(session: Self.session, acknowledged: 10, check: sent[0].check)
            )
            try fixture.restart()
        }
    }

    @Test("sessions are told apart: clones of one snapshot with the same numbers lose nothing")
    func sessions() throws {
        let fixture = try CollectorFixture { folder in
            [CollectorOptions.Guest(vm: VMIdentity(name: "clone"), endpoint: .unix(path: folder + "/clone"))]
        }
        let (web, _) = try connect(fixture)
        web.send(records(1...2))
        #expect(try web.awaitAcknowledgement(2))
        let clone = try GuestEnd(fixture.path + "/clone")
        clone.send(.hello(AgentMessage.Hello(session: Self.session)))
        clone.send(records(1...2))
        #expect(try clone.awaitAcknowledgement(2))
        let (other, number) = try connect(fixture, session: SessionID(3, 4))
        #expect(number == 0)
        other.send(records(1...1))
        #expect(try other.awaitAcknowledgement(1))
        #expect(try fixture.values() == ["m1", "m2", "m1"])
        #expect(try fixture.values(of: "MESSAGE", from: "clone") == ["m1", "m2"])
    }

    @Test("missing numbers are a gap of exactly that many records; those that the agent knows to be stored are not")
    func gaps() throws {
        let fixture = try CollectorFixture()
        let (end, _) = try connect(fixture, acknowledged: 100)
        end.send(records(101...102))
        end.send(records(110...110))
        #expect(try end.awaitAcknowledgement(110))
        #expect(try fixture.stored().gaps.map(\.reason) == [.agentOverflow])
        #expect(try fixture.stored().gaps.map(\.lines) == [7])
        try fixture.restart()
        let (again, _) = try connect(fixture, acknowledged: 100)
        again.send(records(110...111))
        #expect(try again.awaitAcknowledgement(111))
        #expect(try fixture.stored().gaps.count == 1)
    }

    @Test("records that the guest's kernel overwrote are a gap, and a record that says so")
    func kernelGap() throws {
        let fixture = try CollectorFixture()
        let (end, _) = try connect(fixture)
        var lost = GuestRecord(severity: .warning, content: Array("9 lost".utf8), source: .agent)
        (lost.sequence, lost.lost) = (1, 9)
        end.send(.records([lost]))
        #expect(try end.awaitAcknowledgement(1))
        #expect(try fixture.stored().gaps.map(\.reason) == [.kernelOverwrote])
        #expect(try fixture.stored().gaps.map(\.lines) == [9])
        #expect(try fixture.values() == ["9 lost"])
    }

    @Test("fields that only Guestlog writes are not taken from a guest, and controls are escaped in the store")
    func hostileFields() throws {
        let fixture = try CollectorFixture()
        let (end, _) = try connect(fixture)
        var record = GuestRecord(content: [0x1b, 0x5b, 0x32, 0x4a, 0x0a, 0xff])
        record.sequence = 1
        record.fields = [
            GuestRecord.Field(Array("GUESTLOG_TIME".utf8), Array("1999".utf8)),
            GuestRecord.Field(Array("OK".utf8), Array("1".utf8)),
        ]
        end.send(.records([record]))
        #expect(try end.awaitAcknowledgement(1))
        let bytes = try fixture.stored().bytes
        #expect(bytes == Array(#"{"MESSAGE":[27,91,50,74,10,255],"OK":"1"}"#.utf8) + [Lines.feed])
    }

    @Test("each name is one member of a stored record, however often a guest gives it")
    func repeatedNames() {
        var record = GuestRecord(severity: .error, content: Array("m".utf8), source: .syslog)
        record.fields = [("origin.ip", "1"), ("MESSAGE", "other"), ("origin.ip", "2"), ("PRIORITY", "7")].map {
            GuestRecord.Field(Array($0.0.utf8), Array($0.1.utf8))
        }
        let stored = StoredRecord(record, session: nil).line
        #expect(
            String(decoding: stored, as: UTF8.self)
                == #"{"MESSAGE":"m","PRIORITY":"3","_TRANSPORT":"syslog","origin.ip":["1","2"]}"#
        )
        record.source = .journal
        record.fields[3].value = Array("3".utf8)
        let journal = StoredRecord(record, session: nil).line
        #expect(
            String(decoding: journal, as: UTF8.self)
                == #"{"MESSAGE":["m","other"],"_TRANSPORT":"journal","origin.ip":["1","2"],"PRIORITY":"3"}"#
        )
        let line = LinesConversation.record(Array(#"{"a":"1","b":"2","a":"3"}"#.utf8)[...]).line
        #expect(String(decoding: line, as: UTF8.self) == #"{"a":["1","3"],"b":"2"}"#)
        let notice = NotifyConversation.record(["A=1", "A=2", "MESSAGE=x"].map { Array($0.utf8)[...] })
        #expect(notice?.encoded().elementsEqual(#"{"MESSAGE":["A=1","x"],"A":["1","2"]}"#.utf8) == true)
    }

    @Test("nor from a line of JSON or a notification")
    func hostileLines() {
        let line = #"{"GUESTLOG_TIME":"1999-01-01T00:00:00Z","GUESTLOG_TRUNCATED":"1","msg":"x"}"#
        #expect(
            LinesConversation.record(Array(line.utf8)[...]).line.elementsEqual(
                #"{"GUESTLOG_TRUNCATED":"1","msg":"x"}"#.utf8
            )
        )
        let lines = ["STATUS=up", "GUESTLOG_BYTES=1"].map { Array($0.utf8)[...] }
        let record = NotifyConversation.record(lines).map { StoredRecord($0, time: nil) }
        #expect(record?.line.elementsEqual(#"{"MESSAGE":"up","STATUS":"up"}"#.utf8) == true)
    }

    @Test("what breaks the protocol ends the connection, and no other")
    func violations() throws {
        let fixture = try CollectorFixture()
        let (healthy, _) = try connect(fixture)
        let claim: [UInt8] = GuestFrame.magic + [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]
        var beforeHello: [UInt8] = []
        GuestFrame.append(records(1...1).encoded, to: &beforeHello)
        var notProtobuf: [UInt8] = []
        GuestFrame.append([0xff, 0xff], to: &notProtobuf)
        for bytes in [claim, beforeHello, notProtobuf, [0, 1, 2, 3]] {
            let end = try GuestEnd(fixture.socket)
            end.send(bytes)
            #expect(end.isClosed(), "\(bytes)")
        }
        let (disordered, _) = try connect(fixture, session: SessionID(5, 5))
        disordered.send(records(2...2))
        disordered.send(records(2...2))
        #expect(disordered.isClosed())
        healthy.send(records(1...1))
        #expect(try healthy.awaitAcknowledgement(1))
    }

    @Test("a guest has a limited number of connections, and can connect again when one has ended")
    func connections() throws {
        var limits = GuestLimits.default
        limits.connections = 3
        let fixture = try CollectorFixture(limits: limits)
        var ends = try (0..<3).map { _ in try GuestEnd(fixture.socket) }
        #expect(eventually { fixture.collector.state.connections == 3 })
        for _ in 0..<20 {
            #expect(try GuestEnd(fixture.socket).isClosed())
        }
        ends.removeLast()
        #expect(eventually { fixture.collector.state.connections == 2 })
        let (end, _) = try connect(fixture)
        end.send(records(1...1))
        #expect(try end.awaitAcknowledgement(1))
    }

    @Test("a guest over its rate is slowed down, and loses nothing")
    func rate() throws {
        var limits = GuestLimits.default
        limits.records = RateLimit(rate: 1000, burst: 500)
        let fixture = try CollectorFixture(limits: limits)
        let (end, _) = try connect(fixture)
        end.send(records(1...600))
        end.send(records(601...700))
        #expect(try end.awaitAcknowledgement(700))
        #expect(try fixture.values() == (1...700).map { "m\($0)" })
        #expect(try fixture.stored().gaps.isEmpty)
    }
}
