// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// A real server and a real client, over a Unix socket.
@Suite(.limited) struct ServerTests {
    /// Numbers at the limits of arithmetic.
    private static let extremes = [
        String(Int.min), String(Int.min + 1), "-1", "0", "1", String(Int.max), String(UInt64.max), "1" + zeros,
    ]
    private static let zeros = String(repeating: "0", count: 30)

    @Test("no number in a request for log text ends the daemon: it is answered, or refused with a message")
    func extremeNumbers() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        writeAll(Array("one\ntwo\n".utf8), to: guest)
        #expect(try await fixture.stores("two\n", of: "web"))
        for number in Self.extremes {
            let questions = [
                ["tail": number], ["head": number], ["boot": number], ["limit-bytes": number],
                ["since": "@" + number], ["until": "@" + number], ["since": number], ["since": number + "w"],
                ["cursor": "v1:web/console0=" + number], ["cursor": "v1:web/console0=0." + number],
                ["cursor": "v1:web/console0=\(number).\(number)", "tail": "1"], ["since": "@-" + number, "tail": "1"],
            ]
            for question in questions {
                do {
                    _ = try await fixture.logs(question.mapValues { [$0] }.merging(["vm": ["web"]]) { $1 })
                } catch let error as APIError {
                    #expect((400..<500).contains(error.status), "\(question): \(error)")
                }
            }
        }
        #expect(try await fixture.logs(["vm": ["web"], "tail": ["1"]]) == "two\n")
    }

    @Test("no number in a wait ends the daemon")
    func extremeTimeouts() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        writeAll(Array("one\n".utf8), to: guest)
        #expect(try await fixture.stores("one\n", of: "web"))
        for number in Self.extremes + ["106751991", "9223372036854"] {
            for (name, value) in [("timeout", number + "d"), ("timeout", number + "us"), ("since", "@" + number)] {
                let target = RequestTarget(["v1", "vms", "web", "wait"], ["pattern": ["one"], name: [value]])
                do {
                    // A match since then would be waited for.
                    if name == "timeout" {
                        _ = try await fixture.client.get(target)
                    } else {
                        let soon = target.parameters.merging(["timeout": ["1ms"]]) { $1 }
                        _ = try await fixture.client.get(RequestTarget(target.components, soon))
                    }
                } catch let error as APIError {
                    #expect((400..<500).contains(error.status), "\(name)=\(value): \(error)")
                }
            }
        }
    }

    @Test("a plain file's limits are checked before anything is created")
    func extremeSizes() async throws {
        let fixture = try ServerFixture()
        for name in ["plain_size", "plain_backups"] {
            for number in [Int64.min, -1, 1_000_000_000_000_000_000, .max] {
                let body = JSON.object([
                    ("name", .string("db")), ("endpoint", .string("listen:\(fixture.path)/db")),
                    ("plain_file", .string(fixture.path + "/db.log")), (name, .integer(number)),
                ])
                let error = await #expect(throws: APIError.self) {
                    try await fixture.client.post(RequestTarget(["v1", "consoles"]), body)
                }
                #expect(error?.status == 400, "\(name)=\(number)")
                #expect(error?.message.contains("a plain file's") == true)
            }
        }
        #expect(fixture.hub.statuses().isEmpty)
    }

    @Test("limits of a plain file that is not wanted are refused", arguments: ["plain_size", "plain_backups"])
    func limitsAlone(_ name: String) async throws {
        let fixture = try ServerFixture()
        let body = JSON.object([
            ("name", .string("db")), ("endpoint", .string("listen:\(fixture.path)/db")), (name, .integer(4096)),
        ])
        let error = await #expect(throws: APIError.self) {
            try await fixture.client.post(RequestTarget(["v1", "consoles"]), body)
        }
        #expect(error?.status == 400 && error?.message == "\(name) has no effect without plain_file: set it too")
        #expect(fixture.hub.statuses().isEmpty)
    }

    @Test("a vacuum says what it removed, and refuses a request that says nothing")
    func vacuum() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        writeAll(Array("hello\n".utf8), to: guest)
        let freed = try await fixture.client.post(RequestTarget(["v1", "vacuum"], ["age": ["1d"]]), .object([]))
        #expect(freed["freed_files"]?.integer == 0)
        for parameters in [[:], ["size": ["much"]], ["age": ["7"]], ["size": ["1G"], "vm": ["nobody"]]] {
            await #expect(throws: APIError.self, "\(parameters)") {
                try await fixture.client.post(RequestTarget(["v1", "vacuum"], parameters), .object([]))
            }
        }
        let status = try await fixture.client.get(RequestTarget(["v1", "status"]))
        #expect(status["disk_bytes"]?.integer ?? -1 >= 0 && status["disk_limit_bytes"] == .null)
    }

    @Test("a watcher of a console with much output gets all of it")
    func floodedConsole() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        let got = Gathered()
        let (keys, typist) = AsyncStream<[UInt8]>.makeStream()
        let client = fixture.client
        let watching = Task {
            try await client.console(RequestTarget(["v1", "vms", "web", "console"]), input: keys) { got.append($0) }
        }
        try #require(await awaits { fixture.hub.statuses().first?.watchers == 1 })
        // The amount that the kernel buffers for a watcher without cutting it off.
        let burst = NumberedLines.text(1500)
        for round in 1...8 {
            writeAll(burst, to: guest)
            try #require(await awaits { got.count == round * burst.count }, "\(got.count) of \(round * burst.count)")
        }
        #expect(NumberedLines.numbers(in: got.all).count == 8 * 1500)
        typist.finish()
        #expect(try await watching.value == .inputEnded)
    }

    @Test("a follower of all VMs gets new VMs and new streams")
    func followsAll() async throws {
        let fixture = try ServerFixture()
        let web = try fixture.addConsole("web")
        writeAll(Array("one\n".utf8), to: web)
        #expect(try await fixture.stores("one\n", of: "web"))
        let got = Gathered()
        let client = fixture.client
        let following = Task {
            try await client.stream(RequestTarget(["v1", "logs"], ["all": ["1"], "follow": ["1"]])) { got.append($0) }
        }
        try #require(await awaits { got.text.hasSuffix("one\n") })
        let agent = try fixture.addConsole("web", StreamName("agent")!)
        writeAll(Array("two\n".utf8), to: agent)
        try #require(await awaits { got.text.hasSuffix("[web/agent] two\n") })
        let new = try fixture.addConsole("new")
        writeAll(Array("three\n".utf8), to: new)
        try #require(await awaits { got.text.hasSuffix("[new/console0] three\n") })
        following.cancel()
    }

    @Test("a wait over the socket begins before the VM exists, and lasts as long as requested")
    func awaitedVM() async throws {
        let fixture = try ServerFixture()
        let client = fixture.client
        func wait(_ timeout: String) -> RequestTarget {
            RequestTarget(["v1", "vms", "new", "wait"], ["pattern": ["hello"], "timeout": [timeout]])
        }
        let clock = ContinuousClock()
        let start = clock.now
        let error = await #expect(throws: APIError.self) { try await client.get(wait("500ms")) }
        #expect(error?.status == 404)
        #expect(clock.now - start >= .milliseconds(500))
        let match = Task { try await client.get(wait("600s")) }
        let guest = try fixture.addConsole("new")
        writeAll(Array("hello".utf8), to: guest)
        #expect(try await match.value["text"] == .string("hello"))
    }

    @Test("a response that fails after it has begun says so and is cut, not followed by a second one")
    func brokenAnswer() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        writeAll(Array("one\n".utf8), to: guest)
        #expect(try await fixture.stores("one\n", of: "web"))
        let got = Gathered()
        let client = fixture.client
        let following = Task {
            let parameters = ["vm": ["web"], "follow": ["1"], "format": ["json"]]
            return try await client.stream(RequestTarget(["v1", "logs"], parameters)) { got.append($0) }
        }
        try #require(await awaits { got.text.contains("one") })
        // The VM's folder was replaced by a file.
        let folder = fixture.path + "/store/web"
        #expect(rename(folder, folder + ".away") == 0)
        #expect(symlink("/dev/null", folder) == 0)
        // The writer would notice that too, and commit nothing more there.
        fixture.capture.notifier.notify(StreamID(vm: "web", stream: .console0))
        await #expect(throws: APIClient.Unreachable.self) { try await following.value }
        #expect(got.text.split(separator: "\n").last?.hasPrefix(#"{"error":"#) == true, "\(got.text)")
        #expect(!got.text.contains("HTTP/1.1"))
    }
}
