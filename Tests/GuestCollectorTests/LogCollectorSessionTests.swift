// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import GuestChannel
@testable import GuestCollector

/// The agent's end of ChromeOS's protocol, with the collector's end, and with hosts that answer otherwise.
@Suite("ChromeOS's protocol, both ends", .blocking)
struct LogCollectorSessionTests {
    private func record(_ text: String, kernel: Bool = false, _ tag: String = "app") -> GuestRecord {
        var record = GuestRecord(
            severity: .warning,
            time: 1_700_000_000_000_000_000,
            content: Array(text.utf8),
            source: kernel ? .kernel : .syslog
        )
        record.tag = Array(tag.utf8)
        return record
    }

    /// Carries bytes between `session` and a server that answers each call with `status`; returns the calls' paths and
    /// the records' texts.
    private func exchange(
        _ session: inout LogCollectorSession,
        _ server: inout UnaryServer,
        _ status: (UnaryServer.Call) -> UnaryServer.Status = { _ in .ok }
    ) throws -> [String] {
        var calls: [String] = []
        while let frame = session.nextFrame(at: 0, isFlushing: true) {
            frame.withUnsafeBytes { server.append($0) }
            while let call = try server.next() {
                let records = try call.message.withUnsafeBytes { try GuestRecord.list(decoding: $0) }
                let texts = records.map { String(decoding: $0.content, as: UTF8.self) }
                calls.append(
                    ([call.path.split(separator: "/").last.map(String.init) ?? ""] + texts).joined(separator: " ")
                )
                let status = status(call)
                status == .ok ? server.answer(call.stream) : server.refuse(call.stream, status, "no")
            }
            guard case .none = session.receive(server.takeOutput(), at: 0) else {
                return calls + ["reconnect"]
            }
        }
        return calls
    }

    @Test("records go in order, in one call for a run of one kind, and leave the spool with its answer")
    func order() throws {
        var (session, server) = (LogCollectorSession(spoolLimit: 1 << 20), UnaryServer())
        session.connected(at: 0)
        for (text, kernel) in [("a", false), ("b", false), ("k", true), ("c", false)] {
            session.append(record(text, kernel: kernel), at: 0)
        }
        #expect(session.sendTime == .min)
        let calls = try exchange(&session, &server)
        #expect(calls == ["CollectUserLogs app: a app: b", "CollectKernelLogs k", "CollectUserLogs app: c"])
        #expect(session.isComplete && session.isEstablished && session.checkTime == nil)
    }

    @Test("when the host takes no records of the kernel and no others wait, nothing is to be sent")
    func refusedAlone() throws {
        var (session, server) = (LogCollectorSession(spoolLimit: 4 << 20), UnaryServer())
        session.connected(at: 0)
        for number in 0..<3000 {
            session.append(record("k\(number)", kernel: true), at: 0)
        }
        #expect(try exchange(&session, &server) { _ in .unimplemented }.count == 1)
        #expect(session.isComplete && session.sendTime == nil)
    }

    @Test("a loss that was reported in a call that failed is reported again")
    func lossTwice() throws {
        var session = LogCollectorSession(spoolLimit: 64 << 10)
        for number in 0..<2000 {
            session.append(record("m\(number)", kernel: false), at: 0)
        }
        #expect(session.spool.dropped > 0)
        for _ in 0..<2 {
            var server = UnaryServer()
            session.connected(at: 0)
            let call = try exchange(&session, &server) { _ in .unimplemented }.first ?? ""
            #expect(call.contains("records were dropped while the host was away"))
            session.disconnected()
        }
    }

    @Test("large calls wait for the server's windows, many calls in turn")
    func windows() throws {
        var (session, server) = (LogCollectorSession(spoolLimit: 16 << 20), UnaryServer())
        session.connected(at: 0)
        for number in 0..<40 {
            session.append(record(String(repeating: "\(number % 10)", count: 60_000)), at: 0)
        }
        #expect(try exchange(&session, &server).count == 40)
        #expect(session.isComplete)
    }

    @Test(
        "a host that does not take the kernel's log gets the rest; another refusal is tried again on a new connection"
    )
    func refusals() throws {
        var (session, server) = (LogCollectorSession(spoolLimit: 1 << 20), UnaryServer())
        session.connected(at: 0)
        for _ in 0..<1000 {
            session.append(record(String(repeating: "k", count: 100), kernel: true), at: 0)
        }
        session.append(record("a"), at: 0)
        let calls = try exchange(&session, &server) { $0.path.hasSuffix("CollectKernelLogs") ? .unimplemented : .ok }
        #expect(calls.count == 2 && calls.last == "CollectUserLogs app: a")
        #expect(session.isComplete)
        session.append(record("k2", kernel: true), at: 0)
        #expect(session.isComplete)
        session.append(record("b"), at: 0)
        let isRefused = try exchange(&session, &server) { _ in .unimplemented }
        #expect(isRefused.last == "reconnect" && !session.isComplete)
        session.disconnected()
        server = UnaryServer()
        session.connected(at: 0)
        #expect(try exchange(&session, &server) == ["CollectUserLogs app: b"])
    }

    @Test("a host that does not answer is given up after 15 s, and what was dropped meanwhile is a record")
    func silence() throws {
        var session = LogCollectorSession(spoolLimit: 1000)
        session.connected(at: 0)
        session.append(record("0"), at: 0)
        while session.nextFrame(at: 60_000) != nil {}
        #expect(session.checkTime == 60_000 + AgentSession.acknowledgementLimit)
        #expect(session.check(at: 15_059_999) == .none)
        #expect(session.check(at: 15_060_000) != .none)
        session.disconnected()
        for number in 1...100 {
            session.append(record("\(number)"), at: 0)
        }
        var server = UnaryServer()
        session.connected(at: 0)
        let call = try #require(try exchange(&session, &server).first)
        let kept = call.split(separator: "app: ").count - 1
        #expect(call.contains("guestlog-agent: \(101 - kept) records were dropped") && call.hasSuffix("app: 100"))
    }

    @Test("the collector stores what the agent sends over it")
    func collector() throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        var session = LogCollectorSession(spoolLimit: 1 << 20)
        session.connected(at: 0)
        for number in 0..<2000 {
            session.append(record("n\(number)", kernel: number % 500 == 0), at: 0)
        }
        while !session.isComplete {
            while let frame = session.nextFrame(at: 0, isFlushing: true) {
                end.send(frame)
            }
            let answer = try #require(end.receive())
            #expect(!answer.isEmpty && session.receive(answer, at: 0) == .none)
        }
        let texts = (0..<2000).map { ($0 % 500 == 0 ? "" : "app: ") + "n\($0)" }
        #expect(try fixture.values() == texts)
    }
}
