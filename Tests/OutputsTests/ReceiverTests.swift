// SPDX-License-Identifier: Apache-2.0

import Gzip
import HTTPClient
import LogModel
import LogStore
import NIOConcurrencyHelpers
import TestServers
import TestSupport
import Testing
import TestTraits
import TextFormats

@testable import Outputs

/// The body text of the records of an OTLP request in JSON, in order.
private func bodies(_ request: StandInServer.Request) -> [String] {
    let logs = (try? JSON(parsing: request.body))?["resourceLogs"]?.elements ?? []
    return logs.flatMap { $0["scopeLogs"]?.elements ?? [] }.flatMap { $0["logRecords"]?.elements ?? [] }
        .compactMap { $0["body"]?["stringValue"]?.text }
}

private func text(_ count: Int) -> String { (0..<count).map { "line \($0)\n" }.joined() }

@Suite(.limited) struct OTLPTests {
    @Test("a request that is too large is halved until each part fits, and nothing is lost or doubled")
    func tooLarge() async throws {
        let fixture = OutputFixture()
        let taken = NIOLockedValueBox<[String]>([])
        let server = try StandInServer { request in
            let lines = bodies(request)
            guard lines.count <= 10 else {
                return .status(413)
            }
            taken.withLockedValue { $0 += lines }
            return .status(200, body: "{}")
        }
        try fixture.append(text(100))
        try fixture.start(.otlp(server.url))
        #expect(await awaits { taken.withLockedValue { $0.count } == 100 })
        #expect(taken.withLockedValue { $0 } == (0..<100).map { "line \($0)" })
        #expect(server.requests[0].target == "/v1/logs")
    }

    @Test(
        "rejected records are counted and never sent again",
        arguments: [
            (#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}"#, 3, "x"),
            (#"{"partialSuccess":{"rejectedLogRecords":0,"errorMessage":"a warning"}}"#, 0, "a warning"),
            ("{}", 0, nil), ("", 0, nil), (#"{"partialSuccess":{}}"#, 0, nil),
        ] as [(String, UInt64, String?)]
    )
    func partialSuccess(answer: String, dropped: UInt64, lastRejection: String?) async throws {
        let fixture = OutputFixture()
        let server = try StandInServer { _ in .status(200, body: answer) }
        try fixture.append(text(10))
        let service = try fixture.start(.otlp(server.url))
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        let status = await service.statuses()[0]
        #expect(status.counters.dropped == dropped)
        #expect(status.counters.delivered == 10 - dropped)
        #expect(status.lastRejection == lastRejection)
        #expect(server.requests.count == 1)
    }

    @Test("the same answer in protobuf")
    func partialSuccessInProtobuf() {
        let encoder = OTLPProtobufEncoder()
        var partial: [UInt8] = []
        ProtobufWriter.append(1, varint: 3, to: &partial)
        ProtobufWriter.append(2, bytes: "x".utf8, to: &partial)
        var answer: [UInt8] = []
        ProtobufWriter.append(1, bytes: partial, to: &answer)
        #expect(encoder.partialSuccess(in: answer).rejected == 3)
        #expect(encoder.partialSuccess(in: answer).message == "x")
        for count in 0..<answer.count {
            _ = encoder.partialSuccess(in: Array(answer[..<count]))
        }
        #expect(encoder.partialSuccess(in: [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).rejected == 0)
        #expect(encoder.partialSuccess(in: [UInt8](repeating: 0xff, count: 100)).rejected == 0)
    }

    @Test("protobuf has the lengths of what it contains, in the fewest bytes")
    func protobuf() {
        var out: [UInt8] = []
        ProtobufWriter.append(2, to: &out) { $0 += [UInt8](repeating: 7, count: 300) }
        #expect(Array(out[..<3]) == [0x12, 0xac, 0x02])
        #expect(out.count == 303)
        out.withUnsafeBytes { out in
            var reader = ProtobufReader(out)
            guard case (2, .bytes(let bytes))? = try? reader.next() else {
                Issue.record("not read")
                return
            }
            #expect(bytes.count == 300)
        }
    }

    @Test("a receiver's pause is honoured, and other errors of the server are tried again")
    func retries() async throws {
        let fixture = OutputFixture()
        let answers = NIOLockedValueBox<[StandInServer.Answer]>([
            .status(500), .status(429), .cut, .status(503, headers: [("Retry-After", "0")]),
        ])
        let taken = NIOLockedValueBox<[String]>([])
        let server = try StandInServer { request in
            if let answer = answers.withLockedValue({ $0.isEmpty ? nil : $0.removeFirst() }) {
                return answer
            }
            taken.withLockedValue { $0 += bodies(request) }
            return .status(201)
        }
        try fixture.append(text(3))
        try fixture.start(.otlp(server.url))
        #expect(await awaits { taken.withLockedValue { $0 } == ["line 0", "line 1", "line 2"] })
    }

    @Test("a record that the receiver takes for malformed is found by halving, and set aside alone")
    func poison() async throws {
        let fixture = OutputFixture()
        let taken = NIOLockedValueBox<[String]>([])
        let server = try StandInServer { request in
            let lines = bodies(request)
            guard !lines.contains("line 37") else {
                return .status(400, body: "bad record")
            }
            taken.withLockedValue { $0 += lines }
            return .status(200)
        }
        try fixture.append(text(64))
        let service = try fixture.start(.otlp(server.url))
        #expect(await awaits { await service.statuses()[0].counters.setAside == 1 })
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        #expect(taken.withLockedValue { $0 } == (0..<64).filter { $0 != 37 }.map { "line \($0)" })
    }

    @Test(
        "Retry-After is seconds or a date",
        arguments: [
            ("2", Duration.seconds(2)), ("0", .zero), ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(37)), ("-1", nil),
            ("soon", nil),
            ("Sun, 06 Nov 1994 08:48:00 GMT", nil), ("", nil),
        ] as [(String, Duration?)]
    )
    func retryAfter(value: String, delay: Duration?) {
        let now = Timestamp(utc: CivilTime(year: 1994, month: 11, day: 6, hour: 8, minute: 49))
        #expect(RetryAfter.delay(value, now: now) == delay)
    }
}

/// Loki as it is seen from outside: it drops an entry whose stream, time and line it has.
private final class FakeLoki: Sendable {
    private let entries = NIOLockedValueBox<[String: [(time: String, line: String)]]>([:])

    var lines: [String] { entries.withLockedValue { $0.values.flatMap { $0.map(\.line) } } }

    func take(_ request: StandInServer.Request) -> StandInServer.Answer {
        for stream in (try? JSON(parsing: request.body))?["streams"]?.elements ?? [] {
            let labels = String(decoding: stream["stream"]?.bytes ?? [], as: UTF8.self)
            for value in stream["values"]?.elements ?? [] {
                guard let parts = value.elements, parts.count == 3, let time = parts[0].text, let line = parts[1].text
                else {
                    return .status(400, body: "malformed")
                }
                entries.withLockedValue { entries in
                    if !(entries[labels] ?? []).contains(where: { $0.time == time && $0.line == line }) {
                        entries[labels, default: []].append((time, line))
                    }
                }
            }
        }
        return .status(204)
    }
}

@Suite(.limited) struct LokiTests {
    @Test("equal lines of one microsecond are all kept")
    func equalLines() async throws {
        let fixture = OutputFixture()
        let loki = FakeLoki()
        let server = try StandInServer { loki.take($0) }
        try fixture.append(String(repeating: "tick\n", count: 1500))
        try fixture.start(.loki(server.url))
        #expect(await awaits { loki.lines.count == 1500 })
        #expect(server.requests[0].target == "/loki/api/v1/push")
    }

    @Test("a URL with the path of the push API, as other clients have it, is the same as one without")
    func wholeURL() async throws {
        let fixture = OutputFixture()
        let server = try StandInServer { _ in .status(204) }
        try fixture.append("line\n")
        let service = try fixture.start(.loki(server.url + "/base/loki/api/v1/push"))
        #expect(await awaits { await service.statuses()[0].counters.delivered == 1 })
        #expect(server.requests.map(\.target) == ["/base/loki/api/v1/push"])
    }

    @Test(
        "an answer that is no receiver's names the whole target, and says what to change",
        arguments: [
            (
                StandInServer.Answer.status(301, headers: [("Location", "https://loki.example/push")]),
                "/loki/api/v1/push answered 301: the receiver is at https://loki.example/push; change url accordingly"
            ),
            (
                .status(200, body: "<html>", headers: [("Content-Type", "text/html; charset=utf-8")]),
                "/loki/api/v1/push answered 200 with a web page"
            ),
            (.status(404, body: "404 page not found"), "/loki/api/v1/push answered 404: 404 page not found"),
        ]
    )
    func notLoki(answer: StandInServer.Answer, words: String) async throws {
        let fixture = OutputFixture()
        let server = try StandInServer { _ in answer }
        try fixture.append("line\n")
        let service = try fixture.start(.loki(server.url))
        #expect(await awaits { await service.statuses()[0].problem?.contains(server.url + words) == true })
        #expect(await service.statuses()[0].counters.delivered == 0)
        #expect(server.requests[0].headers.contains { $0 == "Accept-Encoding" && $1 == "identity" })
    }

    @Test("entries that Loki ignores are counted, not sent again, and stop nothing")
    func ignored() async throws {
        let fixture = OutputFixture()
        let isFirst = NIOLockedValueBox(true)
        let loki = FakeLoki()
        let server = try StandInServer { request in
            let wasFirst = isFirst.withLockedValue { value in
                defer { value = false }
                return value
            }
            guard wasFirst else {
                return loki.take(request)
            }
            let reason = "entry with timestamp 2026-01-01 00:00:00 ignored, reason: 'entry too far behind'"
            return .status(400, body: "\(reason) for stream: {vm=\"web\"},\ntotal ignored: 3 out of 10")
        }
        try fixture.append(text(10))
        let service = try fixture.start(.loki(server.url))
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        try fixture.append("next\n")
        #expect(await awaits { loki.lines == ["next"] })
        let counters = await service.statuses()[0].counters
        #expect(counters.dropped == 3)
        #expect(counters.setAside == 0)
        #expect(server.requests.count == 2)
    }
}

@Suite struct CompressedAnswerTests {
    @Test("an answer that is compressed although that was not asked for is read")
    func compressed() async throws {
        let fixture = OutputFixture()
        let body = Array(#"{"errors":true,"items":[{"create":{"status":400}},{"create":{"status":201}}]}"#.utf8)
        let answer = try Gzip.compress(body)
        let server = try StandInServer { _ in .bytes(answer, headers: [("Content-Encoding", "gzip")]) }
        try fixture.append("line 0\nline 1\n")
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { await service.statuses()[0].counters.delivered == 1 })
        #expect(await service.statuses()[0].counters.setAside == 1)
        #expect(server.requests.count == 1)
    }
}

@Suite(.blocking) struct BulkResponseTests {
    private func result(_ text: String) -> SendResult {
        BulkResponse.result(of: Array(text.utf8))
    }

    @Test("each status of an item has its meaning")
    func statuses() {
        let items = [201, 409, 429, 400, 503, 404].map { #"{"create":{"status":\#($0)}}"# }.joined(separator: ",")
        guard case .items(let results) = result(#"{"errors":true,"items":[\#(items)]}"#) else {
            Issue.record("no items")
            return
        }
        #expect(results[0] == .delivered)
        #expect(results[1] == .delivered)
        // The index may be missing.
        if case .retry = results[2], case .retry = results[4], case .retry = results[5] {
        } else {
            Issue.record("\(results)")
        }
        if case .refused = results[3] {} else { Issue.record("\(results)") }
    }

    @Test("a document in the failure store is diverted, although its status is 201")
    func failureStore() {
        let item = #"{"create":{"status":201,"failure_store":"used","error":{"type":"t","reason":"r"}}}"#
        #expect(
            result(#"{"errors":false,"items":[\#(item)]}"#) == .items([.diverted("stored in the failure store: t: r")])
        )
    }

    @Test("an answer without items is accepted only when it says that there were no errors")
    func withoutItems() {
        for text in [#"{"took":0,"errors":false}"#, #"{"took":1,"errors":false,"items":[]}"#] {
            #expect(result(text) == .accepted())
        }
        for text in ["", "[]", "{}", #"{"errors":true}"#, #"{"errors":true,"items":[]}"#, "<html>"] {
            if case .unavailable = result(text) {} else { Issue.record("\(text)") }
        }
    }
}
