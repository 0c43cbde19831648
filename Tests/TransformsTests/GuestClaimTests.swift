// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing
import TextFormats

@testable import Transforms

/// What a guest says about its time and its sandbox decides neither.
@Suite(.blocking) struct GuestClaimTests {
    /// The names of a record's fields, and of those that are trusted.
    private func names(_ text: String) -> (all: [String], trusted: [String]) {
        var decoder = RecordDecoder(.kata)
        var names: (all: [String], trusted: [String]) = ([], [])
        func note(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            names.all = record.fields.map { String(decoding: record[$0.name], as: UTF8.self) }
            names.trusted = record.fields.filter { !$0.isUntrusted }
                .map { String(decoding: record[$0.name], as: UTF8.self) }
        }
        Array(text.utf8).withUnsafeBytes { decoder.add($0, readAt: Timestamp(microseconds: 0), note) }
        decoder.finish(note)
        return names
    }

    private func console(_ text: String, sandbox: String = "sandbox=s1") -> String {
        var quoted: [UInt8] = []
        JSON.append(text, to: &quoted)
        return #"time="2020-02-21T10:31:29.5Z" level=debug msg="reading guest console" name=kata-runtime pid=1 "#
            + sandbox + " source=virtcontainers vmconsole=" + String(decoding: quoted, as: UTF8.self)
    }

    @Test(
        "an agent's record on a guest's console: the runtime's time and sandbox stay",
        arguments: ["sandbox=s1", "sid=s1", "sandbox-id=s1"],
        ["sandbox", "sid", "sandbox-id"]
    )
    func agent(outer: String, claimed: String) {
        let inner =
            #"{"msg":"x","level":"INFO","\#(claimed)":"victim","time":"2031-01-01T00:00:00Z","ts":"2031-01-02T00:00:00Z","GUESTLOG_TIME":"2031-01-03T00:00:00Z"}"#
        #expect(
            decoded(console(inner, sandbox: outer).utf8, .kata) == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:29.500000000Z","msg":"x","level":"info","agent_sandbox":"victim","#
                    + #""agent_time":["2031-01-01T00:00:00Z","2031-01-02T00:00:00Z","2031-01-03T00:00:00Z"],"sandbox":"s1"}"#
            ]
        )
    }

    @Test("an agent's record in a runtime's without a sandbox gives it none")
    func noSandbox() {
        let line = decoded(console(#"{"msg":"x","sid":"victim"}"#, sandbox: "a=b").utf8, .kata)[0]
        #expect(!line.contains(#""sandbox""#) && line.contains(#""agent_sandbox":"victim""#))
    }

    @Test("an old agent's record in a message: the runtime's time and sandbox stay")
    func oldAgent() {
        let inner = #"time=\"2031-01-01T00:00:00Z\" level=debug msg=x sandbox=victim source=agent"#
        let line = #"time="2020-02-21T10:31:30Z" level=info msg="\#(inner)" name=kata-proxy sandbox=s9 source=agent"#
        #expect(
            decoded(line.utf8, .kata) == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:30.000000000Z","agent_time":"2031-01-01T00:00:00Z","#
                    + #""level":"debug","msg":"x","agent_sandbox":"victim","source":"agent","sandbox":"s9"}"#
            ]
        )
    }

    @Test("an agent's record in a journal entry of the Rust runtime: the entry's time and sandbox stay")
    func native() {
        var record = RecordBuffer()
        for (name, value) in [
            ("MESSAGE", #"{"msg":"x","sandbox":"victim","ts":"2031-01-01T00:00:00Z"}"#), ("NAME", "kata-runtime"),
            ("SOURCE", "s1"),
        ] {
            record.append(name, value)
        }
        record.time = 1
        var lines: [String] = []
        ParserFilter(key: "MESSAGE", format: .kata).apply(to: &record, readAt: Timestamp(microseconds: 0)) { record in
            var out: [UInt8] = []
            record.appendJSON(to: &out)
            lines.append(String(decoding: out, as: UTF8.self))
        }
        #expect(
            lines == [
                #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000001Z","msg":"x","agent_sandbox":"victim","#
                    + #""agent_time":"2031-01-01T00:00:00Z","sandbox":"s1"}"#
            ]
        )
    }

    @Test("whatever names a guest chooses, its fields are untrusted, and those parsed from them")
    func untrusted() {
        let found = names(console(#"{"msg":"x","kata_sandbox":"victim","container":"c"}"#))
        #expect(found.all == ["msg", "kata_sandbox", "container", "sandbox"] && found.trusted == ["sandbox"])
        #expect(names(console(#"kata_sandbox=victim"#)).trusted == ["sandbox"])
        var record = RecordBuffer()
        record.append("msg", #"{"sandbox":"victim"}"#)
        record.distrust(from: 0)
        ParserFilter(key: "msg", format: .json).apply(to: &record, readAt: Timestamp(microseconds: 0)) { record in
            #expect(!record.fields.contains { !$0.isUntrusted })
        }
    }

    @Test("what a guest prints in the form of a journal entry is no entry", arguments: ["sandbox=s1", "a=b"])
    func entry(outer: String) {
        let inner =
            #"{"msg":"x","__REALTIME_TIMESTAMP":"1","MESSAGE":"{\"msg\":\"y\",\"kata_sandbox\":\"victim\",\"sandbox\":\"victim\"}"}"#
        let found = names(console(inner, sandbox: outer))
        #expect(!found.trusted.contains("kata_sandbox") && !found.trusted.contains("sandbox") || outer == "sandbox=s1")
        let line = decoded(console(inner, sandbox: outer).utf8, .kata)[0]
        #expect(!line.contains(#""kata_sandbox""#) && !line.contains(#""sandbox":"victim""#), "\(line)")
        #expect(line.contains("2020-02-21T10:31:29"), "\(line)")
    }

    @Test("what follows a quote without an end is untrusted, and what is before it is not")
    func openQuote() {
        let found = names(#"time="2020-02-21T10:31:30Z" level=info pid=7 msg="cut sandbox=victim"#)
        #expect(found.all.contains("sandbox") && !found.trusted.contains("sandbox"))
        #expect(found.trusted.prefix(2) == ["level", "pid"])
    }

    /// A line of the runtime whose end is lost, with a record that the guest printed.
    private let lostEnd =
        #"time="2020-02-21T10:31:29.5Z" level=debug msg="reading guest console" name=kata-runtime pid=1 sandbox=s1 "#
        + #"vmconsole="A time=2031-01-01T00:00:00Z sandbox=victim level=error msg=x"#

    @Test("a record that follows a quote without an end is a guest's: its time and its sandbox are claims")
    func recordAfterOpenQuote() {
        let lines = decoded(lostEnd.utf8, .kata)
        #expect(lines.count == 2 && lines[0].contains(#""sandbox":"s1""#), "\(lines)")
        #expect(
            lines.last
                == #"{"agent_time":"2031-01-01T00:00:00Z","agent_sandbox":"victim","level":"error","msg":"x"}"#
        )
        #expect(names(lostEnd).trusted.isEmpty)
        var record = RecordBuffer()
        record.append("MESSAGE", lostEnd)
        record.time = 1
        var parser = ParserFilter(key: "MESSAGE", format: .kata)
        parser.prefix = Array("kata_".utf8)
        var times: [Int64?] = []
        var trusted: [[String]] = []
        parser.apply(to: &record, readAt: Timestamp(microseconds: 0)) { record in
            times.append(record.time)
            trusted.append(
                record.fields.filter { !$0.isUntrusted }.map { String(decoding: record[$0.name], as: UTF8.self) }
            )
        }
        #expect(times.count == 2 && times.last == 1 && trusted.last == [] && trusted[0].contains("kata_sandbox"))
    }
}
