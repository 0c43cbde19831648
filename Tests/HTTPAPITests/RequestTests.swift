// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOHTTP1
import Testing

@testable import HTTPAPI

@Suite struct RequestTests {
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

    @Test("an unknown parameter or value is refused with a useful message")
    func refuses() throws {
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        for (name, value) in [
            ("nonsense", "1"), ("since", "soon"), ("tail", "-3"), ("boot", "x"), ("format", "pdf"), ("grep", "("),
            ("severity", "loud"), ("stream", "No!"),
        ] {
            let error = #expect(throws: (any Error).self) {
                try LogParameters(RequestTarget([], [name: [value]]), now: now)
            }.map(APIError.init(of:))
            #expect(error?.status == 400, "\(name)=\(value)")
            #expect(error?.message.contains(name == "nonsense" ? name : value) == true, "\(error?.message ?? "")")
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

    @Test("every route and every parameter of logs is described in docs/openapi.yaml, and no others")
    func openAPI() throws {
        let path = String(#filePath.prefix(while: { $0 != "\0" })).components(before: "/Tests/") + "/docs/openapi.yaml"
        let text = try #require(contents(path))
        var described: Set<String> = []
        var route = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("  /v1/") {
                route = String(line.dropFirst(2).dropLast())
            } else if let method = line.wholeMatch(of: /\ {4}(get|post|put|delete):/) {
                described.insert(method.1.uppercased() + " " + route)
            }
        }
        let fixture = try ServerFixture()
        let routes = V1API(context: fixture.server.context).group.routes.map { "\($0.method) \($0.path.text)" }
        #expect(described == Set(routes) && Set(routes).count == routes.count)
        for name in LogParameters.names {
            #expect(text.contains("name: \(name),") || text.contains("name: \(name)\n"), "\(name)")
        }
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
