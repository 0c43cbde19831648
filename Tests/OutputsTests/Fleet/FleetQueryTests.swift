// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import LogStore
import NIOConcurrencyHelpers
import Query
import TestServers
import TestSupport
import TestTraits
import Testing

@testable import Outputs

extension StreamName {
    fileprivate static let console1 = StreamName("console1")!
    fileprivate static let journal = StreamName("journal")!
}

/// A store, and what an output has sent of it to an engine.
private struct ReadBackFixture {
    static let start = Timestamp(microseconds: 1_763_658_005_000_000)
    /// All of the request's times are before.
    static let now = start.advanced(byMicroseconds: 3_600_000_000)

    let fixture = OutputFixture()
    let server: StandInServer
    let source: FleetSource
    let entries: StandInEntries

    /// With `burst` lines of one microsecond among others; nil: nothing is stored yet.
    init(_ kind: FleetSource.Kind, tellsLabels: Bool = true, burst: Int? = 50) async throws {
        if let burst {
            try Self.fill(fixture, burst: burst)
        }
        let output: OutputSettings
        switch kind {
        case .loki:
            let loki = StandInLoki(tellsLabels: tellsLabels)
            server = try StandInServer { loki.take($0) }
            entries = loki.entries
            output = .loki(server.url)
        case .victorialogs:
            let engine = StandInVictoriaLogs()
            server = try StandInServer { engine.take($0) }
            entries = engine.entries
            output = .otlp(server.url + "/insert/opentelemetry/v1/logs")
        }
        source = try FleetSource(kind.rawValue + "+" + server.url)
        let service = try fixture.start(output)
        let isDelivered = await awaits { await service.statuses()[0].behind == 0 }
        #expect(isDelivered)
    }

    /// Two VMs with consoles and records: equal times, repeated texts, all severities, gaps, hostile text.
    private static func fill(_ fixture: OutputFixture, burst: Int) throws {
        let properties = StreamProperties(encoding: .json, clock: .own, isReplayable: true)
        // Each call is a commit, a millisecond after the one before.
        var commits: Int64 = 0
        func append(_ text: String, vm: String, _ stream: StreamName, _ properties: StreamProperties = .init()) throws {
            commits += 1
            try fixture.append(text, vm: vm, stream, properties: properties)
        }
        for round in 0..<14 {
            for vm in ["db", "web"] {
                let lines = (0..<round % 5).map { "<\(($0 + round) % 8)>\(vm) round \(round) line \($0)\n" }
                try append(lines.joined() + "tick\ntick\n", vm: vm, .console0)
                let hostile = "\u{1b}[31mred\u{1b}[0m \(round)\n -- quoted \"\\\" \u{e9}\u{1f600}\n"
                try append(hostile, vm: vm, .console1)
            }
            let nanoseconds = (start.microseconds + (commits + 1) * 1000) * 1000 + Int64(round)
            let unit = round % 2 == 0 ? "ssh.service" : "cron.service"
            let record =
                #"{"GUESTLOG_TIME":"\#(Timestamp.rfc3339(nanoseconds: nanoseconds))","MESSAGE":"message \#(round)","#
                + #""_SYSTEMD_UNIT":"\#(unit)","SYSLOG_IDENTIFIER":"p","_PID":"\#(round)","PRIORITY":"\#(round % 8)"}"#
            try append(record + "\n", vm: "web", .journal, properties)
            if round % 10 == 3 {
                commits += 1
                let since = start.advanced(byMicroseconds: 1000)
                let gap = GapDetail(reason: .rateLimit, bytes: 4096, lines: 7, since: since, isClosed: true)
                try fixture.mark(RecordDetail(gap: gap))
            }
        }
        try append((0..<burst).map { "burst \($0 % 7)\n" }.joined(), vm: "web", .console0)
        try append("last of db\n", vm: "db", .console0)
        try append("last of web\n", vm: "web", .console0)
    }

    /// The answers of the store and of the engine.
    func answers(_ request: LogRequest, page: Int) async throws -> (store: String, engine: String) {
        let query = try request.open(fixture.store, now: Self.now)
        var expected: [UInt8] = []
        while let chunk = try query.next() {
            expected += chunk
        }
        var engine = source.engine
        engine.limits.page = page
        var found: [UInt8] = []
        var fleet = FleetQuery(engine, named: "the engine", request, now: Self.now)
        try await fleet.answer { found += $0 }
        #expect(fleet.matchedAny == query.matchedAny)
        return (String(decoding: expected, as: UTF8.self), String(decoding: found, as: UTF8.self))
    }
}

/// A request, and what it is called in a failure.
private struct NamedRequest: Sendable, CustomStringConvertible {
    let description: String
    let request: LogRequest

    init(_ words: String..., format: OutputFormat = .text, _ change: (inout LogRequest) -> Void = { _ in }) {
        var request = LogRequest()
        request.vms = words
        request.all = words.isEmpty
        request.rendering = Rendering(format: format)
        request.rendering.utc = true
        request.rendering.timestamps = true
        request.rendering.markers = false
        change(&request)
        self.request = request
        description = "\(words) \(format) \(request.selection)"
    }

    private static func after(_ milliseconds: Int64) -> Timestamp {
        ReadBackFixture.start.advanced(byMicroseconds: milliseconds * 1000)
    }

    static func all() throws -> [NamedRequest] {
        var all: [NamedRequest] = [
            NamedRequest(), NamedRequest("web"), NamedRequest("db"), NamedRequest("web", "db"),
            NamedRequest("db", "web"),
            NamedRequest("w*"), NamedRequest(format: .short),
        ]
        for tail in [0, 1, 10, 60, 200, 100_000] {
            all.append(NamedRequest { $0.selection.tail = tail })
            all.append(NamedRequest("web") { $0.selection.tail = tail })
        }
        for severities in [
            .emergency ... .error, .emergency ... .warning, .error ... .notice, .emergency...Severity.debug,
        ] {
            all.append(NamedRequest { $0.selection.severities = severities })
        }
        for word in ["line [12]$", "tick", "no such text"] {
            let pattern = try RequestWords.pattern(word, ignoreCase: nil)
            all.append(NamedRequest { $0.selection.pattern = pattern })
        }
        let (cron, seventh) = (["_SYSTEMD_UNIT=cron.service"], ["MESSAGE=message 7"])
        for words in [cron, seventh, cron + seventh] {
            let fields = try FieldMatches(words)
            all.append(NamedRequest("web") { $0.selection.fields = fields })
        }
        all.append(NamedRequest("web") { $0.selection.streams = [.console0] })
        all.append(NamedRequest("web") { $0.selection.streams = [.console1, .journal] })
        all.append(NamedRequest("db") { $0.selection.head = 5 })
        all.append(NamedRequest { $0.selection.since = after(30) })
        all.append(NamedRequest { $0.selection.until = after(30) })
        all.append(NamedRequest("web", format: .logfmt) { $0.selection.streams = [.console0, .journal] })
        all.append(NamedRequest("db", format: .json) { $0.selection.streams = [.console0] })
        all.append(NamedRequest("web") { $0.selection.limitBytes = 1000 })
        all.append(NamedRequest("web") { $0.rendering.prefix = false })
        all.append(
            NamedRequest { request in
                request.selection.tail = 20
                request.selection.head = 3
            }
        )
        all.append(
            NamedRequest("web") { request in
                request.selection.since = after(10)
                request.selection.until = after(60)
                request.selection.severities = .emergency ... .warning
            }
        )
        return all
    }
}

@Suite(.limited) struct FleetQueryTests {
    @Test("39 requests have the same answer from the store and from Loki, whatever it does with equal times")
    func loki() async throws {
        let fixture = try await ReadBackFixture(.loki)
        for request in try NamedRequest.all() {
            let answers = try await fixture.answers(request.request, page: 30)
            #expect(answers.engine == answers.store, "\(request)")
        }
    }

    @Test("39 requests have the same answer from the store and from VictoriaLogs, also in small pages")
    func victoriaLogs() async throws {
        let fixture = try await ReadBackFixture(.victorialogs)
        for request in try NamedRequest.all() {
            let answers = try await fixture.answers(request.request, page: 30)
            #expect(answers.engine == answers.store, "\(request)")
        }
    }

    @Test("more than a thousand lines of one microsecond keep their order", arguments: FleetSource.Kind.allCases)
    private func burst(kind: FleetSource.Kind) async throws {
        let fixture = try await ReadBackFixture(kind, burst: 1100)
        let answers = try await fixture.answers(NamedRequest { $0.selection.tail = 1110 }.request, page: 300)
        #expect(answers.engine == answers.store)
        #expect(fixture.entries.largestAnswer <= 300)
    }

    @Test("a line that was sent in pieces is one line, also for the count", arguments: FleetSource.Kind.allCases)
    private func pieces(kind: FleetSource.Kind) async throws {
        let fixture = try await ReadBackFixture(kind, burst: nil)
        let store = fixture.fixture
        try store.append("db 0\npassword: ", vm: "db")
        try store.append("line 0\nlogin: ")
        #expect(await awaits { fixture.entries.all.count { ["login: ", "password: "].contains($0.text) } == 2 })
        // What is missing there ends the line.
        let since = ReadBackFixture.start.advanced(byMicroseconds: 1000)
        let gap = GapDetail(reason: .rateLimit, bytes: 4096, lines: 7, since: since, isClosed: true)
        try store.mark(RecordDetail(gap: gap), vm: "db")
        try store.append("db 1\n", vm: "db")
        try store.append("root\n" + String(repeating: "x", count: 70_000) + "\nlast\n")
        #expect(await awaits { fixture.entries.count == 10 })
        let pattern = try RequestWords.pattern("login: root", ignoreCase: nil)
        var requests = [NamedRequest("web") { $0.selection.pattern = pattern }]
        requests.append(
            NamedRequest { request in
                request.selection.pattern = pattern
                request.selection.tail = 1
            }
        )
        for format in [OutputFormat.text, .short, .json, .logfmt] {
            requests += [NamedRequest(format: format), NamedRequest("web", format: format) { $0.selection.head = 2 }]
            requests += (1...9).map { tail in NamedRequest("web", format: format) { $0.selection.tail = tail } }
        }
        for request in requests {
            for page in [2, 3, 1000] {
                let answers = try await fixture.answers(request.request, page: page)
                #expect(answers.engine == answers.store, "\(request), pages of \(page)")
            }
        }
    }

    @Test("an answer of Loki that does not tell labels and metadata apart is read too")
    func mergedLabels() async throws {
        let fixture = try await ReadBackFixture(.loki, tellsLabels: false)
        let answers = try await fixture.answers(
            NamedRequest("web", format: .logfmt) { $0.selection.streams = [.journal] }.request,
            page: 1000
        )
        #expect(answers.engine == answers.store)
    }

    @Test("what other programs have sent with the same labels takes no record's place")
    func foreignEntries() async throws {
        let fixture = try await ReadBackFixture(.loki)
        for (number, entry) in fixture.entries.all.enumerated() where number % 3 == 0 {
            fixture.entries.add(StandInEntry(time: entry.time, text: "foreign", labels: entry.labels, fields: []))
        }
        for tail in [nil, 20] {
            let answers = try await fixture.answers(NamedRequest { $0.selection.tail = tail }.request, page: 10)
            #expect(answers.engine == answers.store)
        }
    }

    @Test("records that an engine has twice are shown once")
    func repeats() async throws {
        let fixture = try await ReadBackFixture(.victorialogs)
        fixture.entries.all.forEach { fixture.entries.add($0) }
        let answers = try await fixture.answers(NamedRequest().request, page: 1000)
        #expect(answers.engine == answers.store)
    }

    @Test("following shows what comes, once, also what a host delivers late")
    func following() async throws {
        let engine = StandInVictoriaLogs()
        let server = try StandInServer { engine.take($0) }
        func add(_ offset: Int, at nanoseconds: Int64) {
            let fields = [("log.record.uid", "web/console0/\(offset)"), ("severity", "Unspecified")]
            let labels = [("host.name", "web"), ("guestlog.stream", "console0")]
            engine.entries.add(StandInEntry(time: nanoseconds, text: "line \(offset)", labels: labels, fields: fields))
        }
        let second: Int64 = 1_000_000_000
        let now = Timestamp(microseconds: 1_763_658_005_000_000)
        let present = now.microseconds * 1000
        add(0, at: present - 100 * second)
        add(1, at: present - second)
        var request = NamedRequest("web").request
        request.rendering.timestamps = false
        request.selection.follow = true
        request.selection.tail = 1
        request.selection.head = 4
        let shown = NIOLockedValueBox("")
        var query = FleetQuery(try FleetSource("victorialogs+" + server.url).engine, named: "x", request, now: now)
        try await query.answer { bytes in
            shown.withLockedValue { $0 += String(decoding: bytes, as: UTF8.self) }
            switch shown.withLockedValue({ $0.split(separator: "\n").count }) {
            case 1: add(3, at: present + 5 * second)
            case 2: add(2, at: present + 4 * second)
            case 3: add(4, at: present + 6 * second)
            default: break
            }
        }
        #expect(shown.withLockedValue { $0 } == "line 1\nline 3\nline 2\nline 4\n")
    }

    @Test("what an engine cannot answer is refused by name")
    func refusals() throws {
        let source = try FleetSource("loki+http://127.0.0.1:3100")
        let cases: [(String, (inout LogRequest) -> Void)] = [
            ("--boot", { $0.selection.boot = 0 }), ("--cursor", { $0.selection.cursor = "v1:" }),
            ("--previous-instance", { $0.previousInstance = true }), ("-o raw", { $0.rendering.format = .raw }),
            ("--context", { $0.selection.context.after = 1 }), ("-o escaped", { $0.rendering.format = .escaped }),
            ("-o export", { $0.rendering.format = .export }),
        ]
        for (option, change) in cases {
            var request = LogRequest()
            change(&request)
            let error = #expect(throws: QueryError.self) { try FleetQuery(source, request, now: ReadBackFixture.now) }
            #expect(error?.message.contains(option) == true)
        }
    }

    @Test("a VM that the engine does not have is named, with those that it has")
    func unknownVM() async throws {
        let fixture = try await ReadBackFixture(.loki)
        var query = FleetQuery(
            fixture.source.engine,
            named: "Loki",
            NamedRequest("nobody").request,
            now: ReadBackFixture.now
        )
        let error = await #expect(throws: QueryError.self) { try await query.answer { _ in } }
        #expect(error?.message == "Loki has nothing of VM nobody in the requested time; it has db, web")
    }

    @Test("an engine that refuses, that is none, or that is away is reported with its answer")
    func failures() async throws {
        let answers: [(StandInServer.Answer, String)] = [
            (.status(400, body: "parse error"), "answered 400: parse error"), (.status(502), "answered 502"),
            (.status(200, body: "<html>"), "is the URL that of such an engine?"), (.cut, "closed"),
        ]
        for (answer, words) in answers {
            let server = try StandInServer { _ in answer }
            for kind in FleetSource.Kind.allCases {
                let source = try FleetSource("\(kind.rawValue)+\(server.url)")
                var query = try FleetQuery(source, NamedRequest().request, now: ReadBackFixture.now)
                let error = await #expect(throws: (any Error).self) { try await query.answer { _ in } }
                #expect(error.map { "\($0)".contains(words) } == true, "\(String(describing: error))")
            }
        }
    }

    @Test(
        "a URL without an engine is refused with the remedy",
        arguments: ["http://h:3100", "loki+h", "loki", "", "es+http://h"]
    )
    func badURLs(url: String) {
        let error = #expect(throws: QueryError.self) { try FleetSource(url) }
        #expect(error?.message.contains("loki+http://") == true)
    }

    @Test("the output that feeds an engine tells how to read it")
    func fromOutput() throws {
        let loki = try FleetSource(OutputSettings.loki("https://user:x@loki.example:3100/base"))
        #expect(loki.description == "Loki at https://loki.example:3100/base")
        let victoria = try FleetSource(OutputSettings.otlp("http://vl:9428/v/insert/opentelemetry/v1/logs"))
        #expect(victoria.description == "VictoriaLogs at http://vl:9428/v")
        #expect(throws: QueryError.self) { try FleetSource(OutputSettings.otlp("http://collector:4318")) }
        #expect(throws: QueryError.self) { try FleetSource(OutputSettings.elasticsearch("http://es:9200")) }
    }
}
