// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOHTTP1
import TestTraits
import Testing

@testable import HTTPAPI

@Suite(.limited) struct RequestTests {
    @Test("a target is unchanged after encoding and decoding")
    func targetRoundTrip() {
        let target = RequestTarget(
            ["v1", "vms", "a/b c%&?", "boots"],
            ["since": ["10m"], "vm": ["ü", "x=y&z", ""], "grep": ["a+b c"]]
        )
        #expect(RequestTarget(target.text) == target)
    }

    @Test("a plus is a space in parameters, as in forms, and itself in a path")
    func plus() {
        let target = RequestTarget("/v1/vms/a+b/wait?pattern=a+b%2Bc")
        #expect(target == RequestTarget(["v1", "vms", "a+b", "wait"], ["pattern": ["a b+c"]]))
    }

    @Test(
        "malformed percent-encoding is refused",
        arguments: ["/v1/%", "/v1/%4", "/v1/%zz", "/v1/%ff", "/v1/logs?vm=%e2%28"]
    )
    func brokenEscape(text: String) {
        #expect(RequestTarget(text) == nil)
    }

    @Test("a wrong value of a parameter is refused with a useful message")
    func refuses() throws {
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        for (name, value) in [
            ("since", "soon"), ("tail", "-3"), ("boot", "x"), ("format", "pdf"), ("grep", "("),
            ("severity", "loud"), ("stream", "No!"),
        ] {
            let error = #expect(throws: (any Error).self) {
                try LogParameters(RequestTarget([], [name: [value]]), now: now)
            }.map(APIError.init(of:))
            #expect(error?.status == 400, "\(name)=\(value)")
            #expect(error?.message.contains(value) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "a boolean parameter is true or false in any usual spelling, and nothing else",
        arguments: [
            "all", "previous-instance", "follow", "prefix", "markers", "timestamps", "color", "utc", "resumable",
        ]
    )
    func booleans(name: String) throws {
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        func parameters(_ value: String) throws -> LogParameters {
            try LogParameters(RequestTarget([], [name: [value]]), now: now)
        }
        let yes = try parameters("1")
        let no = try parameters("0")
        #expect(yes.parameters != no.parameters || yes.isResumable != no.isResumable)
        let spellings = [
            "true": yes, "True": yes, "YES": yes, "on": yes, "false": no, "False": no, "FALSE": no, "No": no, "off": no,
        ]
        for (word, expected) in spellings {
            let found = try parameters(word)
            #expect(found.parameters == expected.parameters && found.isResumable == expected.isResumable, "\(word)")
        }
        for word in ["maybe", "2", "", "truee", "-1"] {
            let error = #expect(throws: APIError.self) { try parameters(word) }
            #expect(error?.status == 400 && error?.message.hasPrefix("\(name)=\(word): must be true or false") == true)
        }
    }

    @Test("a request for log text is unchanged after encoding and decoding as parameters")
    func logRequestRoundTrip() throws {
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        let parameters = [
            "vm": ["web", "db"], "stream": ["console0", "kernel"], "since": ["2026-11-20T17:00:00.000001Z"],
            "until": ["2026-11-20T18:00:00.000000Z"], "tail": ["5"], "head": ["7"], "limit-bytes": ["100"],
            "boot": ["-1"], "severity": ["err"], "field": ["A=b", "C=d"], "grep": ["a.*b"], "ignore-case": ["0"],
            "cursor": ["v1:x"],
            "follow": ["1"], "format": ["json"], "timestamps": ["1"], "prefix": ["0"], "color": ["1"], "utc": ["1"],
            "previous-instance": ["1"],
        ]
        let request = try LogParameters(RequestTarget([], parameters), now: now)
        #expect(request.parameters == parameters)
    }

    @Test("every route and each of its parameters is described in docs/openapi.yaml, and no others")
    func openAPI() throws {
        let path = String(#filePath.prefix(while: { $0 != "\0" })).components(before: "/Tests/") + "/docs/openapi.yaml"
        let text = try #require(contents(path))
        var described: [String: Set<String>] = [:]
        var lists: Set<String> = []
        var (resource, route, name) = ("", "", "")
        for line in text.split(separator: "\n").prefix(while: { $0 != "components:" }) {
            if line.hasPrefix("  /v1/") {
                resource = String(line.dropFirst(2).dropLast())
            } else if let method = line.wholeMatch(of: /\ {4}(get|post|put|delete):/) {
                route = method.1.uppercased() + " " + resource
                described[route] = []
            }
            name = line.firstMatch(of: /- (?:\{)?name: ([a-z-]+)/).map { String($0.1) } ?? name
            if line.contains("in: query") {
                described[route]?.insert(name)
            }
            if line.contains("schema: {type: array, "), described[route]?.contains(name) ?? false {
                lists.insert(resource + " " + name)
            }
        }
        let fixture = try ServerFixture()
        let routes = V1API(context: fixture.server.context).group.routes
        let taken = routes.map { ("\($0.method) \($0.path.text)", $0.parameters?.names ?? []) }
        #expect(described == Dictionary(uniqueKeysWithValues: taken))
        #expect(
            lists == Set(routes.flatMap { route in (route.parameters?.lists ?? []).map { route.path.text + " " + $0 } })
        )
    }

    @Test("an unknown parameter is refused, and the route's parameters are named")
    func unknownParameter() throws {
        let fixture = try ServerFixture()
        let routes = V1API(context: fixture.server.context).group.routes
        let vacuum = try #require(routes.first { $0.path.text == "/v1/vacuum" })
        let error = #expect(throws: APIError.self) {
            try vacuum.checkParameters(of: RequestTarget(["v1", "vacuum"], ["vms": ["web"], "age": ["1h"]]))
        }
        #expect(error?.status == 400)
        #expect(error?.message == "unknown parameter vms of POST /v1/vacuum; its parameters are age, size, vm")
        #expect(routes.allSatisfy { $0.parameters != nil })
    }

    @Test("a parameter that has one value and is given twice is refused; a list is not")
    func repeatedParameter() throws {
        let fixture = try ServerFixture()
        let routes = V1API(context: fixture.server.context).group.routes
        let logs = try #require(routes.first { $0.path.text == "/v1/logs" })
        try logs.checkParameters(
            of: #require(RequestTarget("/v1/logs?vm=a&vm=b&stream=x&stream=y&field=A%3D1&field=B%3D2"))
        )
        let error = #expect(throws: APIError.self) {
            try logs.checkParameters(of: #require(RequestTarget("/v1/logs?vm=a&tail=2&tail=3")))
        }
        #expect(error?.status == 400)
        #expect(error?.message == "the parameter tail of GET /v1/logs is given twice: it has one value")
    }

    @Test("docs/metrics.md describes every metric: its name, type, labels and meaning")
    func metrics() throws {
        let path = String(#filePath.prefix(while: { $0 != "\0" })).components(before: "/Tests/") + "/docs/metrics.md"
        let rows = try #require(contents(path)).split(separator: "\n").filter { $0.hasPrefix("| `") }
        let described = MetricsAPI.metrics.map { metric in
            let label = metric.label.map { "`\($0)`" } ?? ""
            return "| `\(metric.name)` | \(metric.kind.rawValue) | \(label) | \(metric.help) |".replacing(
                "|  |",
                with: "| |"
            )
        }
        #expect(rows.map(String.init) == described)
        var text = MetricsText()
        text.add(Metric("a_total", .counter, "What a counts.", label: "output"), [("x\"\\\n", 5), ("y", 6)])
        text.add(Metric("b", .gauge, "What b is."), [(nil, 7)])
        #expect(
            String(decoding: text.bytes, as: UTF8.self) == #"""
                # HELP a_total What a counts.
                # TYPE a_total counter
                a_total{output="x\"\\\n"} 5
                a_total{output="y"} 6
                # HELP b What b is.
                # TYPE b gauge
                b 7

                """#
        )
    }

    @Test(
        "a body's member with an unknown name or of another type is refused by name",
        arguments: [
            (#"{"lfie":"1h"}"#, "unknown member lfie"), (#"{"life":3600}"#, "life: must be a string"),
            (#"["life"]"#, "not a JSON object"), (#"{"life":"1h","life":"2h"}"#, "life twice"),
        ]
    )
    func bodies(text: String, expected: String) throws {
        let error = #expect(throws: APIError.self) {
            _ = try JSON(body: Array(text.utf8), members: ["life"]).textMember("life")
        }
        #expect(error?.status == 400 && error?.message.contains(expected) == true, "\(error?.message ?? "")")
        #expect(try JSON(body: Array(#"{"life":null}"#.utf8), members: ["life"]).textMember("life") == nil)
    }

    private func contents(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = getc(file), byte != EOF {
            bytes.append(UInt8(byte))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    fileprivate func components(before marker: String) -> String {
        var start = startIndex
        while start < endIndex, !self[start...].hasPrefix(marker) {
            start = index(after: start)
        }
        return String(self[..<start])
    }
}
