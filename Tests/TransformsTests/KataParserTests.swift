// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

/// The records that a decoder makes of lines, as canonical lines. `now` is when they are read.
func decoded(
    _ text: some Sequence<UInt8>,
    _ format: RecordFormat,
    pieces: Int = .max,
    now: Timestamp = Timestamp(microseconds: 0)
) -> [String] {
    var decoder = RecordDecoder(format)
    var lines: [String] = []
    func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
        var out: [UInt8] = []
        record.appendJSON(to: &out)
        lines.append(String(decoding: out, as: UTF8.self))
    }
    var rest = Array(text)[...]
    while !rest.isEmpty {
        Array(rest.prefix(pieces)).withUnsafeBytes { decoder.add($0, readAt: now, add) }
        rest = rest.dropFirst(pieces)
    }
    decoder.finish(add)
    return lines
}

@Suite(.blocking) struct KataParserTests {
    private func kata(_ text: String) -> [String] { decoded(text.utf8, .kata) }

    @Test("the Go runtime's logfmt: time to the nanosecond, typed process number, escapes")
    func runtime() {
        let line =
            #"time="2020-02-21T10:31:27.810781647Z" level=info msg="release sandbox" arch=amd64 command=state "#
            + "container=7cdd31660d8705fa name=kata-runtime pid=14314 sandbox=1c3e77cad66a source=virtcontainers subsystem=sandbox"
        #expect(
            kata(line) == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:27.810781647Z","level":"info","msg":"release sandbox","arch":"amd64","#
                    + #""command":"state","container":"7cdd31660d8705fa","name":"kata-runtime","pid":14314,"#
                    + #""sandbox":"1c3e77cad66a","source":"virtcontainers","subsystem":"sandbox"}"#
            ]
        )
    }

    @Test("the runtime's JSON: real types stay, objects inside become fields")
    func runtimeJSON() {
        let line =
            #"{"level":"debug","msg":"kill","pid":7,"time":"2020-02-21T10:31:27.8+08:00","E":{"Iface":{"Index":4}}}"#
        #expect(
            kata(line) == [
                #"{"GUESTLOG_TIME":"2020-02-21T02:31:27.800000000Z","level":"debug","msg":"kill","pid":7,"E.Iface.Index":4}"#
            ]
        )
    }

    private let agent =
        #"{"msg":"started","level":"INFO","ts":"2020-02-21T10:31:28.123456789Z","version":"0.1.0","pid":"155","subsystem":"rpc","name":"kata-agent","source":"agent","cid":"c1"}"#

    @Test("the agent's JSON: its level and process number in the common form, its container found by its short name")
    func agentAlone() {
        let wanted =
            #"{"GUESTLOG_TIME":"2020-02-21T10:31:28.123456789Z","msg":"started","level":"info","version":"0.1.0","pid":155,"#
            + #""subsystem":"rpc","name":"kata-agent","source":"agent","cid":"c1","container":"c1"}"#
        #expect(kata(agent) == [wanted])
        var quoted = agent
        for _ in 0..<3 {
            var out: [UInt8] = []
            JSON.append(quoted, to: &out)
            quoted = String(decoding: out, as: UTF8.self)
            #expect(kata(quoted) == [wanted])
        }
    }

    @Test(
        "levels of all parts have one spelling",
        arguments: [
            ("TRCE", "trace"), ("DEBG", "debug"), ("INFO", "info"), ("WARN", "warning"), ("ERRO", "error"),
            ("CRIT", "critical"), ("warning", "warning"), ("fatal", "fatal"), ("odd", "odd"),
        ]
    )
    func levels(word: String, wanted: String) {
        #expect(kata(#"{"msg":"x","level":"\#(word)"}"#) == [#"{"msg":"x","level":"\#(wanted)"}"#])
    }

    private func console(_ text: String) -> String {
        var quoted: [UInt8] = []
        JSON.append(text, to: &quoted)
        return #"time="2020-02-21T10:31:29.5Z" level=debug msg="reading guest console" console-protocol=unix "#
            + "name=containerd-shim-v2 pid=77 sandbox=s1 source=virtcontainers subsystem=sandbox vmconsole="
            + String(decoding: quoted, as: UTF8.self)
    }

    @Test("the agent's record inside the runtime's takes its place, at the runtime's time and with its sandbox")
    func agentInConsole() {
        #expect(
            kata(console(agent)) == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:29.500000000Z","msg":"started","level":"info","#
                    + #""agent_time":"2020-02-21T10:31:28.123456789Z","version":"0.1.0","pid":155,"subsystem":"rpc","#
                    + #""name":"kata-agent","source":"agent","cid":"c1","sandbox":"s1","container":"c1"}"#
            ]
        )
    }

    @Test("values of the agent that are no strings do not turn its record into console text")
    func typedAgent() {
        let lines = kata(console(#"{"msg":"x","n":3,"level":"WARN"}"#))
        #expect(
            lines == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:29.500000000Z","msg":"x","n":3,"level":"warning","sandbox":"s1"}"#
            ]
        )
    }

    @Test("other text of a guest's console is the message, with its source")
    func consoleText() {
        #expect(
            kata(console("[    0.365754] Run /sbin/init")) == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:29.500000000Z","msg":"[    0.365754] Run /sbin/init","#
                    + #""source":"vmconsole","level":"debug","sandbox":"s1"}"#
            ]
        )
        #expect(kata(console(#"\x1b[0;32m  OK  \x1b[0m"#))[0].contains("OK"))
    }

    @Test("what the guest printed after the agent's record on one line is kept")
    func afterAgent() {
        let rest = "[   12.345678] BUG: kernel text"
        let lines = kata(console(agent + rest))
        #expect(lines.count == 1 && lines[0].contains(#""msg":"started""#))
        #expect(lines[0].contains(#""GUESTLOG_UNPARSED":"\#(rest)""#), "\(lines)")
    }

    @Test("what stands behind a console's quote without an end is kept, as the guest's")
    func openConsole() {
        let outer = String(console("").dropLast())
        let lines = kata(outer + "guest said x=1 sandbox=other end")
        #expect(
            lines == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:29.500000000Z","msg":"guest said","source":"vmconsole","#
                    + #""level":"debug","GUESTLOG_PARSE_ERROR":"a quote is not closed","x":1,"agent_sandbox":"other","#
                    + #""end":true,"sandbox":"s1"}"#
            ]
        )
    }

    @Test("an old agent's logfmt inside a message takes the runtime's place")
    func oldAgent() {
        let inner =
            #"time=\"2020-02-21T10:31:29Z\" level=debug msg=\"new request\" name=kata-agent pid=34 source=agent"#
        let lines = kata(
            #"time="2020-02-21T10:31:30Z" level=info msg="\#(inner)" name=kata-proxy pid=5 sandbox=s9 source=agent"#
        )
        #expect(lines.count == 1 && lines[0].contains(#""msg":"new request""#))
        #expect(
            lines[0].contains(#""pid":34"#) && lines[0].contains(#""sandbox":"s9""#)
                && lines[0].contains(#""GUESTLOG_TIME":"2020-02-21T10:31:30."#)
                && lines[0].contains(#""agent_time":"2020-02-21T10:31:29Z""#)
        )
    }

    @Test("a journal entry of the Rust runtime: names and shifted priorities in the common form")
    func native() {
        var record = RecordBuffer()
        for (name, value) in [
            ("MESSAGE", "update routes [Route {\n dest: x }]"), ("PRIORITY", "5"), ("SYSLOG_IDENTIFIER", "kata"),
            ("NAME", "kata-runtime"), ("SOURCE", "s1"), ("SUBSYSTEM", "virt"), ("PID", "12"),
        ] {
            record.append(name, value)
        }
        var parser = ParserFilter(key: "MESSAGE", format: .kata)
        parser.prefix = Array("kata_".utf8)
        var lines: [String] = []
        var pipeline = Pipeline([PipelineStage(match: "*", filters: [.parser(parser)])])
        pipeline.process(&record, tag: "kata", readAt: Timestamp(microseconds: 0)) { record, _ in
            var out: [UInt8] = []
            record.appendJSON(to: &out)
            lines.append(String(decoding: out, as: UTF8.self))
        }
        #expect(
            lines == [
                #"{"kata_msg":"update routes [Route {\n dest: x }]","kata_name":"kata-runtime","kata_pid":12,"kata_level":"info","#
                    + #""kata_sandbox":"s1","kata_subsystem":"virt"}"#
            ]
        )
    }

    // MARK: - Corrupt lines

    private let kernel = "[    1.122452] sd 0:0:0:0: [sda] 41943 blocks"

    @Test("a kernel's line inside a value: the value ends there, and what follows is kept")
    func interruptedValue() {
        let lines = kata(#"time="2020-02-21T10:31:30Z" level=debug msg="new requ"# + kernel)
        #expect(
            lines == [
                #"{"GUESTLOG_TIME":"2020-02-21T10:31:30.000000000Z","level":"debug","#
                    + #""GUESTLOG_PARSE_ERROR":"other output is inside the record","msg":"new requ","GUESTLOG_UNPARSED":"\#(kernel)"}"#
            ]
        )
    }

    @Test("a record that a kernel's line divides is put together, and that line is a record of its own")
    func dividedRecord() {
        let text =
            #"time="2020-02-21T10:31:30Z" level=debug msg="new requ"# + kernel + "\n" + #"est" name=kata-agent pid=4"#
        let lines = kata(text)
        #expect(lines.count == 2 && lines[0].contains(#""msg":"new request","name":"kata-agent","pid":4"#))
        #expect(lines[1].contains(kernel))
        let object = #"{"msg":"new requ"# + kernel + "\n" + #"est","level":"INFO"}"#
        #expect(kata(object)[0] == #"{"msg":"new request","level":"info"}"#)
        #expect(kata(object)[1].contains(kernel))
    }

    @Test("a value with a line feed, and a record cut anywhere, go on in the next line")
    func dividedValue() {
        let proxy = #"time="2020-02-21T10:31:30Z" level=info msg="a source=agent"# + "\n" + #"" name=kata-proxy pid=8"#
        #expect(
            kata(proxy).count == 1 && kata(proxy)[0].contains(#""msg":"a source=agent\n","name":"kata-proxy","pid":8"#)
        )
        let cut = #"time="2020-02-21T10:31:30Z" level=deb"# + "\n" + #"ug msg=x name=k"#
        #expect(
            kata(cut) == [#"{"GUESTLOG_TIME":"2020-02-21T10:31:30.000000000Z","level":"debug","msg":"x","name":"k"}"#]
        )
    }

    @Test("two records in one line are two records")
    func glued() {
        let one = #"time="2020-02-21T10:31:30Z" level=info msg=a source=agent"#
        let two = #"time="2020-02-21T10:31:31Z" level=info msg=b source=agent"#
        for between in [" ", ""] {
            let lines = kata(one + between + two)
            #expect(lines.count == (between.isEmpty ? 1 : 2), "\(lines)")
        }
        #expect(kata(#"{"msg":"a"}{"msg":"b"}"#) == [#"{"msg":"a"}"#, #"{"msg":"b"}"#])
    }

    @Test("text without a form is the message, and says so")
    func bareText() {
        #expect(
            kata("log pipe has been closed: EOF") == [
                #"{"msg":"log pipe has been closed: EOF","GUESTLOG_PARSE_ERROR":"not in this format"}"#
            ]
        )
        #expect(
            kata(#"time="2020-02-21T10:31:30Z" level=info msg="%!d(MISSING)" a=1"#)[0].contains(
                #""msg":"%!d(MISSING)","a":1"#
            )
        )
    }

    @Test("an object cut off: its complete members, what there is of the next, and the rest as it is")
    func cutObject() {
        let lines = kata(#"{"level":"INFO","msg":"new req"#)
        #expect(
            lines == [
                #"{"level":"info","GUESTLOG_PARSE_ERROR":"malformed or incomplete JSON","GUESTLOG_UNPARSED":",\"msg\":\"new req","msg":"new req"}"#
            ]
        )
    }

    @Test("whatever the text and wherever it is divided, no byte of a message is lost, and every record is JSON")
    func hostile() {
        var generator = SeededGenerator(seed: 41)
        let parts = [
            #"time="2020-02-21T10:31:30Z" "#, "level=info ", #"msg="a b" "#, kernel, "\n", #"{"msg":"x","#,
            #""level":"INFO"}"#,
            "\"", "\\", "name=kata ", "source=agent ", #"vmconsole="{\"msg\":\"y\"}" "#,
            #"msg="reading guest console" "#, "\u{0}",
            "é", "pid=1 ", "=", "{", "}",
        ]
        for _ in 0..<300 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
                parts.randomElement(using: &generator)!
            }
            .joined()
            let lines = kata(text)
            #expect(
                lines.allSatisfy { line in Array(line.utf8).withUnsafeBytes { JSONScanner.isObject($0) } },
                "\(text)"
            )
            #expect(decoded(text.utf8, .kata, pieces: 7) == lines)
        }
    }
}
