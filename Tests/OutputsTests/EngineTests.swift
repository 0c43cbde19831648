// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import NIOConcurrencyHelpers
import SystemIO
import TestServers
import TestSupport
import TestTraits
import Testing

@testable import Outputs

private func lines(_ range: Range<Int>) -> [String] { range.map { "line \($0)" } }

@Suite(.limited) struct EngineTests {
    @Test("what is stored is delivered in order, with its id, and what comes later too")
    func delivers() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("line 0\nline 1\n")
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == lines(0..<2) })
        #expect(index.ids == ["web/console0/0", "web/console0/7"])
        try fixture.append("line 2\n")
        #expect(await awaits { index.messages == lines(0..<3) })
        #expect(await awaits { await service.statuses()[0].counters.delivered == 3 })
        let status = await service.statuses()[0]
        #expect(status.behind == 0)
        #expect(status.problem == nil)
    }

    @Test("an output begins with what comes, when that is asked for, and continues after a restart where it was")
    func fromNow() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("old\n")
        var settings = OutputSettings.elasticsearch(server.url)
        settings.startsAtBeginning = false
        let first = try fixture.start(settings)
        #expect(await awaits { await first.statuses()[0].behind == 0 })
        try fixture.append("line 0\n")
        #expect(await awaits { index.messages == lines(0..<1) })
        try await fixture.stop(first)
        try fixture.append("line 1\n")
        try fixture.append("line 2\n", vm: "new")
        try fixture.start(settings)
        #expect(await awaits { index.messages.count == 3 })
        #expect(Set(index.messages) == Set(lines(0..<3)))
    }

    @Test("an output that is killed before it saves its position sends again with the same ids")
    func repeats() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append((0..<500).map { "line \($0)\n" }.joined())
        let first = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.count == 500 })
        try await fixture.stop(first)
        // As a kill between the answer and the saving leaves it.
        try LinuxFileSystem().remove(fixture.store.root + "/outputs/test.state")
        let before = server.requests.count
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { server.requests.count > before })
        try fixture.append("line 500\n")
        #expect(await awaits { index.messages.count == 501 })
        #expect(index.messages == lines(0..<501))
    }

    @Test("only documents that failed are sent again, and a refused one is set aside with its reason")
    func perItem() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let attempts = NIOLockedValueBox<[String: Int]>([:])
        let server = try StandInServer { request in
            index.take(request) { message in
                let attempt = attempts.withLockedValue { attempts in
                    attempts[message, default: 0] += 1
                    return attempts[message] ?? 0
                }
                return message == "line 3" ? 400 : message == "line 2" && attempt == 1 ? 429 : 201
            }
        }
        try fixture.append((0..<5).map { "line \($0)\n" }.joined())
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.count == 4 })
        #expect(await awaits { await service.statuses()[0].setAsideFile != nil })
        #expect(attempts.withLockedValue { $0 } == ["line 0": 1, "line 1": 1, "line 2": 2, "line 3": 1, "line 4": 1])
        let file = try #require(await service.statuses()[0].setAsideFile)
        let text = try #require(try LinuxFileSystem().contents(of: file))
        let record = try JSON(parsing: text)
        #expect(record["id"]?.text == "web/console0/21")
        #expect(record["reason"]?.text?.contains("error_400: line 3") == true)
        #expect(record["record"]?.text?.contains("line 3") == true)
        try await fixture.stop(service)
        let restarted = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { await restarted.statuses()[0].setAsideFile == file })
        #expect(await restarted.statuses()[0].json["set_aside"]?.integer == 1)
    }

    @Test("a request that is repeated after a rollover stores its documents twice, with the same ids")
    func rollover() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let isFirst = NIOLockedValueBox(true)
        let server = try StandInServer { request in
            let answer = index.take(request)
            let wasFirst = isFirst.withLockedValue { value in
                defer { value = false }
                return value
            }
            guard wasFirst else {
                return answer
            }
            index.rollOver()
            return .cut
        }
        try fixture.append("line 0\nline 1\n")
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { await service.statuses()[0].counters.delivered == 2 })
        #expect(index.messages == ["line 0", "line 1", "line 0", "line 1"])
        #expect(index.ids == ["web/console0/0", "web/console0/7", "web/console0/0", "web/console0/7"])
    }

    @Test(
        "a receiver whose disk is full loses nothing: documents are sent again, none is set aside",
        arguments: [403, 404, 429, 503]
    )
    func fullDisk(status: Int) async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let refusals = NIOLockedValueBox(3)
        let server = try StandInServer { request in
            let isFull = refusals.withLockedValue { refusals in
                refusals -= 1
                return refusals >= 0
            }
            return index.take(request) { _ in isFull ? status : 201 }
        }
        try fixture.append((0..<200).map { "line \($0)\n" }.joined())
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.count == 200 })
        #expect(index.messages == lines(0..<200))
        #expect(await service.statuses()[0].counters.setAside == 0)
    }

    @Test("a receiver that refuses every document is a problem, and what it refuses is not passed over")
    func refusesAll() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let takes = NIOLockedValueBox(false)
        let server = try StandInServer { request in
            index.take(request) { _ in takes.withLockedValue { $0 } ? 201 : 400 }
        }
        try fixture.append((0..<300).map { "line \($0)\n" }.joined())
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { fixture.problems["test"]?.contains("every record is refused") == true })
        let status = await service.statuses()[0]
        #expect(status.counters.setAside == 100 && status.counters.delivered == 0)
        #expect(status.lastDelivery == nil)
        takes.withLockedValue { $0 = true }
        #expect(await awaits { index.messages == lines(100..<300) })
        #expect(await awaits { await service.statuses()[0].lastDelivery != nil })
        #expect(await awaits { fixture.problems["test"] == nil })
    }

    @Test("a dead output is reported, delays no other, and delivers everything when its destination is back")
    func deadOutput() async throws {
        let fixture = OutputFixture()
        let (index, late) = (StandInIndex(), StandInIndex())
        let server = try StandInServer { index.take($0) }
        let isUp = NIOLockedValueBox(false)
        let flaky = try StandInServer { request in isUp.withLockedValue { $0 } ? late.take(request) : .cut }
        try fixture.start(.elasticsearch(flaky.url, name: "dead"), .elasticsearch(server.url, name: "live"))
        for number in 0..<20 {
            try fixture.append("line \(number)\n")
        }
        #expect(await awaits { index.messages == lines(0..<20) })
        #expect(await awaits { fixture.problems["dead"] != nil })
        #expect(fixture.problems["live"] == nil)
        isUp.withLockedValue { $0 = true }
        #expect(await awaits { late.messages == lines(0..<20) })
        #expect(await awaits { fixture.problems["dead"] == nil })
    }

    @Test("what the store removed before it was delivered is one record with the number of bytes")
    func overtaken() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let isUp = NIOLockedValueBox(true)
        let server = try StandInServer { request in isUp.withLockedValue { $0 } ? index.take(request) : .cut }
        try fixture.append("line 0\n")
        let first = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == lines(0..<1) })
        try await fixture.stop(first)
        try fixture.roll()
        try fixture.append("line 1\nline 2\n")
        try fixture.roll()
        try fixture.append("line 3\n")
        // As retention removes the oldest file.
        let folder = fixture.store.folder(of: StreamID(vm: "web", stream: .console0))
        for name in try LinuxFileSystem().names(in: folder)
        where name.contains("00000000000000000007.") || name.hasPrefix("7.") {
            try LinuxFileSystem().remove(folder + "/" + name)
        }
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.last == "line 3" })
        #expect(index.messages.count == 3)
        #expect(index.messages[1].hasPrefix("14 bytes lost"))
        _ = service
    }

    @Test("a VM that comes back after its log was removed is sent from its beginning, with ids of its own")
    func comesBack() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let state = fixture.store.root + "/outputs/test.state"
        try fixture.append("line 0\nline 1\n")
        let first = try fixture.start(.elasticsearch(server.url))
        #expect(
            try await awaits {
                guard LinuxFileSystem().status(state) != nil, let saved = try LinuxFileSystem().contents(of: state)
                else {
                    return false
                }
                return String(decoding: saved, as: UTF8.self).contains("web/console0 14.0 ")
            }
        )
        try await fixture.stop(first)
        try fixture.remove()
        try fixture.append("line 2\n")
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.last == "line 2" })
        #expect(index.messages.filter { $0.hasPrefix("line") } == lines(0..<3))
        #expect(Set(index.ids).count == index.ids.count && index.repeats == 0)
    }

    @Test("an output sends only the VMs, streams and severities that it was given, and redacts what matches")
    func filters() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        var settings = OutputSettings.elasticsearch(server.url)
        settings.vms = VMPattern(["web-*"])
        settings.streams = [StreamName("kernel")!]
        settings.severity = .warning
        settings.redactions = [#"password=\S+"#]
        let kernel = StreamName("kernel")!
        let properties = StreamProperties(encoding: .json, clock: .host)
        try fixture.append("{\"MESSAGE\":\"x\",\"PRIORITY\":\"3\"}\n", vm: "db", kernel, properties: properties)
        try fixture.append("noise\n", vm: "web-1")
        try fixture.append(
            "{\"MESSAGE\":\"info\",\"PRIORITY\":\"6\"}\n{\"MESSAGE\":\"login password=secret ok\",\"PRIORITY\":\"3\"}\n",
            vm: "web-1",
            kernel,
            properties: properties
        )
        try fixture.start(settings)
        #expect(await awaits { !index.messages.isEmpty })
        try fixture.append("{\"MESSAGE\":\"end\",\"PRIORITY\":\"0\"}\n", vm: "web-1", kernel, properties: properties)
        #expect(await awaits { index.messages.count == 2 })
        #expect(index.messages == ["login [redacted] ok", "end"])
        #expect(!server.requests.contains { $0.text.contains("secret") })
    }

    @Test("a text is redacted after an empty match too, and nothing is left of one that cannot be searched")
    func redaction() throws {
        func redacted(_ text: String, _ expression: String) throws -> String? {
            let redaction = try Redaction([expression])
            return Array(text.utf8).withUnsafeBytes { redaction.redact($0) }.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(
            try redacted("password= user=x password=hunter2", #"(?<=password=)\S*"#)
                == "password= user=x password=[redacted]"
        )
        #expect(try redacted("é 12 ü 3", #"\d*"#) == "é [redacted] ü [redacted]")
        #expect(try redacted("é", #"\d*"#) == nil)
        let costly = String(repeating: "a", count: 64)
        #expect(try redacted(costly + " b", #"(a+)+b"#) == "[redacted]")
    }

    @Test(
        "records whose own times are far in the past or the future are delivered",
        arguments: ["1700-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2262-04-11T23:47:16.854775807Z"]
    )
    func farTimes(_ far: String) async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let now = Timestamp.rfc3339(nanoseconds: SystemClock().wallMicroseconds() * 1000)
        for (number, time) in [now, far, far, now].enumerated() {
            try fixture.append(
                #"{"GUESTLOG_TIME":"\#(time)","MESSAGE":"m\#(number)"}"# + "\n",
                properties: StreamProperties(encoding: .json, clock: .own)
            )
        }
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.count == 4 })
        #expect(index.messages == (0..<4).map { "m\($0)" })
    }

    @Test("skip passes over what waits, replay sends it again with the same ids, and an unknown name is an error")
    func commands() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let isUp = NIOLockedValueBox(false)
        let server = try StandInServer { request in
            isUp.withLockedValue { $0 } ? index.take(request) : .status(503, headers: [("Retry-After", "3600")])
        }
        let service = try fixture.start(.elasticsearch(server.url))
        try fixture.append("line 0\n")
        #expect(await awaits { await service.statuses()[0].problem != nil })
        try await service.skip("test")
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        #expect(await awaits { await service.statuses()[0].problem == nil && fixture.problems["test"] == nil })
        isUp.withLockedValue { $0 = true }
        try fixture.append("line 1\n")
        #expect(await awaits { index.messages == ["line 1"] })
        try await service.replay("test", since: .distantPast)
        #expect(await awaits { index.messages == ["line 1", "line 0"] })
        await #expect(throws: OutputService.Unknown.self) { try await service.skip("other") }
    }

    @Test("a problem of the store ends when the store is read again, also where nothing is to be delivered")
    func unreadableStore() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let root = fixture.store.root
        #expect(rename(root, root + ".away") == 0)
        try LinuxFileSystem().replace("store", in: fixture.path, with: [])
        let service = try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { fixture.problems["test"]?.contains("the store cannot be read") == true })
        #expect(unlink(root) == 0 && rename(root + ".away", root) == 0)
        // A command ends the pause.
        try await service.skip("test")
        #expect(await awaits { await service.statuses()[0].problem == nil && fixture.problems["test"] == nil })
        #expect(server.requests.isEmpty)
    }

    @Test("many streams are read one after the other, and none is left out")
    func manyStreams() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        for round in 0..<3 {
            for vm in 0..<30 {
                try fixture.append("round \(round) of \(vm)\n", vm: "vm-\(vm)")
            }
        }
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages.count == 90 })
        for vm in 0..<30 {
            #expect(index.messages.filter { $0.hasSuffix(" of \(vm)") } == (0..<3).map { "round \($0) of \(vm)" })
        }
    }

    @Test("a damaged file of positions costs repeats, never the output")
    func damagedState() async throws {
        let fixture = OutputFixture()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        try fixture.append("line 0\n")
        try LinuxFileSystem().makeDirectory(fixture.store.root + "/outputs")
        try LinuxFileSystem().replace(
            "test.state",
            in: fixture.store.root + "/outputs",
            with: Array("guestlog-output 1\nweb/console0 7.0 5\ncrc32c 0\n".utf8)
        )
        try fixture.start(.elasticsearch(server.url))
        #expect(await awaits { index.messages == lines(0..<1) })
    }
}
