// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestCollector

@Suite(.blocking) struct JournalConversationTests {
    private func entry(_ number: Int, cursor: Bool = false) -> String {
        let text = cursor ? "__CURSOR=s=\(Self.sequence);i=\(String(number, radix: 16));b=b;m=1;t=1;x=1\n" : ""
        return text
            + "__REALTIME_TIMESTAMP=\(1_700_000_000_000_000 + number)\n_PID=1\nPRIORITY=4\nMESSAGE=m\(number)\n\n"
    }

    /// An entry as an upload has it, of a boot, made at `time`.
    private func entry(_ number: Int, _ text: String, boot: Character, time: Int) -> String {
        let boot = String(repeating: boot, count: 32)
        return """
            __CURSOR=s=\(Self.sequence);i=\(String(number, radix: 16));b=\(boot);m=1;t=\(String(time, radix: 16));x=1
            __REALTIME_TIMESTAMP=\(1_700_000_000_000_000 + time)
            MESSAGE=\(text)


            """
    }

    private static let sequence = "0123456789abcdef0123456789abcdef"

    @Test("entries of journald's ForwardToSocket are stored with all their fields and their own time")
    func forwarded() throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        for number in 1...100 {
            end.send(entry(number))
        }
        end.send("MESSAGE\n\u{3}\0\0\0\0\0\0\0a\nb\n\n")
        end.finish()
        #expect(end.isClosed())
        #expect(try eventually { try fixture.values(in: StreamName.journal).count == 101 })
        #expect(try fixture.values(in: StreamName.journal) == (1...100).map { "m\($0)" } + ["a\nb"])
        #expect(try fixture.values(of: "_PID", in: StreamName.journal).count == 100)
        let first = try fixture.values(of: "GUESTLOG_TIME", in: StreamName.journal).first
        #expect(first == "2023-11-14T22:13:20.000001000Z")
    }

    @Test("a connection that breaks in an entry keeps its whole fields, and everything before them")
    func broken() throws {
        let fixture = try CollectorFixture()
        do {
            let end = try GuestEnd(fixture.socket)
            end.send(entry(1) + "__REALTIME_TIMESTAMP=1\nMESSAGE=half\n_PI")
        }
        #expect(try eventually { try fixture.values(in: StreamName.journal) == ["m1", "half"] })
        #expect(try fixture.values(of: "GUESTLOG_TRUNCATED", in: StreamName.journal) == ["1"])
    }

    @Test("a stream over the guest's rate is read on, and what is dropped is counted in gaps")
    func rate() throws {
        var limits = GuestLimits.default
        limits.records = RateLimit(rate: 10, burst: 100)
        // Of an unoptimized build.
        limits.recordTime = 1_000_000_000
        let fixture = try CollectorFixture(limits: limits)
        let end = try GuestEnd(fixture.socket)
        for number in 1...20_000 {
            #expect(end.send(Array(entry(number).utf8)))
        }
        end.finish()
        #expect(end.isClosed())
        #expect(
            try eventually {
                let stored = try fixture.stored(StreamName.journal)
                let lost = stored.gaps.reduce(0) { $0 + Int($1.lines) }
                return lost > 0 && lost + stored.bytes.count(where: { $0 == Lines.feed }) == 20_000
            }
        )
        #expect(try fixture.stored(StreamName.journal).gaps.allSatisfy { $0.reason == .rateLimit })
    }

    @Test("what a flood loses is one gap, not one for each piece that was read")
    func oneGap() throws {
        var limits = GuestLimits.default
        limits.records = RateLimit(rate: 1, burst: 1)
        limits.recordTime = 1_000_000_000_000
        // On a clock that stands still the guest stays over its rate, and no marker is due between the first and the last.
        let fixture = try CollectorFixture(limits: limits, clock: StoppedClock())
        let end = try GuestEnd(fixture.socket)
        end.send(entry(1))
        #expect(try eventually { try fixture.values(in: StreamName.journal) == ["m1"] })
        func dropped() -> UInt64 {
            fixture.capture.statistics()[StreamKey(name: "web", stream: .journal)]?.dropped ?? 0
        }
        for number in 2...101 {
            let before = dropped()
            end.send(entry(number))
            #expect(eventually { dropped() > before })
        }
        fixture.stop()
        let gaps = try fixture.stored(StreamName.journal).gaps
        #expect(gaps.map(\.lines) == [1, 99] && gaps.map(\.isClosed) == [false, true])
        #expect(Set(gaps.map(\.since)).count == 1)
    }

    @Test("a stop stores what was sent before it")
    func stop() throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        for number in 1...500 {
            end.send(entry(number))
        }
        fixture.stop()
        #expect(try fixture.values(in: StreamName.journal) == (1...500).map { "m\($0)" })
    }

    @Test("guests are added and removed while the collector runs, and their connections stay")
    func guests() throws {
        let fixture = try CollectorFixture()
        let web = try GuestEnd(fixture.socket)
        web.send(entry(1))
        let path = fixture.path + "/db"
        fixture.collector.setGuests([CollectorOptions.Guest(vm: VMIdentity(name: "db"), endpoint: .unix(path: path))])
        // Before any connection comes.
        #expect(eventually { fixture.collector.state.listeners == [path] })
        #expect(fixture.collector.state.guests == ["web"])
        #expect(eventually { (try? UnixSocket.connect(to: path)) != nil })
        #expect((try? UnixSocket.connect(to: fixture.socket)) == nil)
        try GuestEnd(path).send(entry(2))
        web.send(entry(3))
        #expect(try eventually { try fixture.values(in: StreamName.journal, from: "db") == ["m2"] })
        #expect(try eventually { try fixture.values(in: StreamName.journal) == ["m1", "m3"] })
    }

    // MARK: - Uploads

    private func upload(_ body: String, chunked: Bool = true, to fixture: CollectorFixture) throws -> String {
        let end = try GuestEnd(fixture.socket)
        end.send(
            "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\nConnection: close\r\n"
        )
        if chunked {
            end.send("Transfer-Encoding: chunked\r\n\r\n")
            for piece in Array(body.utf8).chunks(of: 1000) {
                end.send("\(String(piece.count, radix: 16))\r\n")
                end.send(Array(piece))
                end.send("\r\n")
            }
            end.send("0\r\n\r\n")
        } else {
            end.send("Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        var answer: [UInt8] = []
        while let bytes = end.receive(), !bytes.isEmpty {
            answer += bytes
        }
        return String(decoding: answer.prefix { $0 != 0x0d }, as: UTF8.self)
    }

    @Test(
        "an upload is answered with 202 when all of it is stored; sent again, it is stored once",
        arguments: [true, false]
    )
    func upload(chunked: Bool) throws {
        let fixture = try CollectorFixture()
        let body = (1...200).map { entry($0, cursor: true) }.joined()
        #expect(try upload(body, chunked: chunked, to: fixture) == "HTTP/1.1 202 Accepted")
        #expect(try fixture.values(in: StreamName.journal) == (1...200).map { "m\($0)" })
        try fixture.restart()
        let more = (150...250).map { entry($0, cursor: true) }.joined()
        #expect(try upload(more, chunked: chunked, to: fixture) == "HTTP/1.1 202 Accepted")
        #expect(try fixture.values(in: StreamName.journal) == (1...250).map { "m\($0)" })
    }

    @Test("after an unclean end the next boot has numbers of entries that the guest's disk lost, and is stored whole")
    func nextBoot() throws {
        let fixture = try CollectorFixture()
        let first = (1...10).map { entry($0, "a\($0)", boot: "a", time: $0) }.joined()
        #expect(try upload(first, to: fixture) == "HTTP/1.1 202 Accepted")
        let second = (8...13).map { entry($0, "b\($0)", boot: "b", time: 100 + $0) }.joined()
        #expect(try upload(second, to: fixture) == "HTTP/1.1 202 Accepted")
        try fixture.restart()
        #expect(try upload(first + second, to: fixture) == "HTTP/1.1 202 Accepted")
        #expect(
            try fixture.values(in: StreamName.journal) == (1...10).map { "a\($0)" } + (8...13).map { "b\($0)" }
        )
    }

    @Test("in a boot that was set back to a snapshot, later entries with the same numbers are stored, once")
    func snapshot() throws {
        let fixture = try CollectorFixture()
        let first = (1...10).map { entry($0, "a\($0)", boot: "a", time: $0) }.joined()
        let second = (6...8).map { entry($0, "b\($0)", boot: "a", time: 100 + $0) }.joined()
        for body in [first, first, second, second] {
            #expect(try upload(body, to: fixture) == "HTTP/1.1 202 Accepted")
        }
        #expect(
            try fixture.values(in: StreamName.journal) == (1...10).map { "a\($0)" } + (6...8).map { "b\($0)" }
        )
    }

    @Test("a field without a valid name, or an entry without a cursor, never refuses the others")
    func faultyEntry() throws {
        let fixture = try CollectorFixture()
        let long = "MESSAGE=long\nBIG=\(String(repeating: "x", count: 1 << 20))\n\n"
        let body = entry(1, cursor: true) + "1BAD=x\nMESSAGE=flagged\n\n" + entry(2) + long + entry(3, cursor: true)
        #expect(try upload(body, to: fixture) == "HTTP/1.1 202 Accepted")
        #expect(try fixture.values(in: StreamName.journal) == ["m1", "flagged", "m2", "long", "m3"])
        #expect(try fixture.values(of: "GUESTLOG_TRUNCATED", in: StreamName.journal) == ["1"])
        #expect(try fixture.values(of: "BIG", in: StreamName.journal).map(\.utf8.count) == [1 << 20])
    }

    @Test("other requests, and compressed bodies, are refused with the reason")
    func refused() throws {
        let fixture = try CollectorFixture()
        for (request, status) in [
            ("GET /upload HTTP/1.1\r\n\r\n", "405"), ("POST /else HTTP/1.1\r\n\r\n", "404"),
            ("POST /upload HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n", "415"), ("POST /upload\r\n\r\n", "400"),
            ("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"),
        ] {
            let end = try GuestEnd(fixture.socket)
            end.send(request)
            let answer = String(decoding: end.receive() ?? [], as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request): \(answer)")
        }
        #expect(try fixture.values(in: StreamName.journal).isEmpty)
    }

    // MARK: - Other transports

    @Test("lines of Kata's agent: the VM's socket appears late, refuses, accepts, and sends in small pieces")
    func dialled() throws {
        let fixture = try CollectorFixture { folder in
            [
                CollectorOptions.Guest(
                    vm: VMIdentity(name: "sandbox"),
                    endpoint: .dial(path: folder + "/vm.sock", port: 1025)
                )
            ]
        }
        let listener = try UnixSocket.listen(at: fixture.path + "/vm.sock")
        func accept() throws -> GuestEnd {
            var accepted: GuestEnd?
            #expect(
                try eventually {
                    guard let connection = try UnixSocket.accept(listener.raw) else { return false }
                    accepted = try GuestEnd(connection)
                    return true
                }
            )
            return try #require(accepted)
        }
        for _ in 0..<3 {
            let refusing = try accept()
            #expect(refusing.receive() == Array("CONNECT 1025\n".utf8))
        }
        let end = try accept()
        #expect(end.receive() == Array("CONNECT 1025\n".utf8))
        var text = "OK 1073741824\n"
        for number in 1...300 {
            text += #"{"msg":"m\#(number)","level":"INFO","ts":"2023-11-14T22:13:20.5Z"}"# + "\n"
        }
        text += "plain\n"
        for piece in Array(text.utf8).chunks(of: 7) {
            end.send(Array(piece))
        }
        #expect(
            try eventually {
                try fixture.values(of: "msg", in: StreamName.agent, from: "sandbox").count == 300
                    && fixture.values(in: StreamName.agent, from: "sandbox") == ["plain"]
            }
        )
        let times = try fixture.values(of: "GUESTLOG_TIME", in: StreamName.agent, from: "sandbox")
        #expect(times.first == "2023-11-14T22:13:20.500000000Z")
    }

    @Test("a VMM's own vsock: guests that connect to the host's ports arrive beside its socket, state messages too")
    func hybrid() throws {
        let folder = TemporaryFolder()
        var options = CollectorOptions(port: 61_099, notifyPort: 61_098)
        options.guests = [
            CollectorOptions.Guest(vm: VMIdentity(name: "fc"), endpoint: .hybrid(path: folder.path + "/v.sock"))
        ]
        let fixture = try CollectorFixture { _ in [] }
        let collector = try GuestCollector(options, capture: fixture.capture)
        try collector.start()
        defer { collector.stop() }
        let end = try GuestEnd(folder.path + "/v.sock_61099")
        end.send(entry(1))
        let notify = try GuestEnd(folder.path + "/v.sock_61098")
        notify.send("READY=1\nSTATUS=booted\nEXIT_STATUS=0\n")
        notify.finish()
        #expect(notify.isClosed())
        #expect(
            try eventually {
                try fixture.values(in: StreamName.journal, from: "fc") == ["m1"]
                    && fixture.values(of: "READY", in: StreamName.notify, from: "fc") == ["1"]
            }
        )
        #expect(try fixture.values(in: StreamName.notify, from: "fc") == ["booted"])
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min(count, $0 + size)] }
    }
}
