// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing
import TextFormats

@testable import Transforms

/// Kata's records in what journalctl and syslog daemons write.
@Suite(.blocking) struct KataPrefixTests {
    private func kata(_ text: String) -> [String] {
        decoded(text.utf8, .kata, now: Timestamp(rfc3339: "2025-12-16T00:00:00Z".utf8)!)
    }

    @Test("a record behind a time, a host and a program has all its fields")
    func prefixed() {
        let record =
            #"{"msg":"rpc call","level":"INFO","ts":"2025-12-15T11:55:10.840652625Z","name":"kata-agent","pid":"7","source":"agent"}"#
        let wanted =
            #"{"GUESTLOG_TIME":"2025-12-15T11:55:10.840652625Z","msg":"rpc call","level":"info","name":"kata-agent","#
            + #""pid":7,"source":"agent","host":"pek001","ident":"kata"}"#
        for prefix in [
            "Dec 15 19:55:10", "Dec 15 19:55:10.123456", "2025-12-15T19:55:10+0800", "2025-12-15T19:55:10.840000+08:00",
            "Mon 2025-12-15 11:55:10 UTC", "Mon 2025-12-15 19:55:10 CST", "1765799710.840652",
        ] {
            #expect(kata(prefix + " pek001 kata[1790162]: " + record) == [wanted], "\(prefix)")
        }
        #expect(kata("<30>1 2025-12-15T19:55:10+08:00 pek001 kata 1790162 - - " + record) == [wanted])
    }

    @Test("text behind a prefix has the prefix's time and process number")
    func text() {
        #expect(
            kata("2025-12-15T19:55:10+0800 pek001 kata[12]: some text")
                == [
                    #"{"GUESTLOG_TIME":"2025-12-15T11:55:10.000000000Z","msg":"some text","#
                        + #""GUESTLOG_PARSE_ERROR":"not in this format","host":"pek001","ident":"kata","pid":12}"#
                ]
        )
        #expect(kata("2025-12-15T19:55:10+0800 nothing")[0].contains(#""msg":"2025-12-15T19:55:10+0800 nothing""#))
    }

    @Test("what a guest printed is unpacked behind a prefix too, and names no sandbox")
    func console() {
        let found = kata(
            "Aug 16 00:43:25 testhost containerd[59801]: "
                + #"time="2022-08-16T00:43:25.813114206+08:00" level=debug msg="reading guest console" sandbox=s1 "#
                + #"vmconsole="Dec 15 19:55:10 g kata[1]: {\"msg\":\"x\",\"sandbox\":\"s2\"}""#
        )
        #expect(found.count == 1 && found[0].contains(#""sandbox":"s1""#) && !found[0].contains(#""sandbox":"s2""#))
        #expect(found[0].contains("2022-08-15T16:43:25.813114206Z"))
    }

    @Test("entries of the journal in JSON: the message's fields beside the journal's, of both runtimes")
    func entries() {
        let head = #"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1700000000000001","_HOSTNAME":"h","#
        #expect(
            kata(head + #""MESSAGE":"time=\"2023-11-14T22:13:20.5Z\" level=warning msg=hi pid=1 sandbox=s1"}"#)
                == [
                    #"{"GUESTLOG_TIME":"2023-11-14T22:13:20.500000000Z","_HOSTNAME":"h","level":"warning","msg":"hi","#
                        + #""pid":1,"sandbox":"s1"}"#
                ]
        )
        #expect(
            kata(head + #""NAME":"kata-runtime","SOURCE":"s2","PRIORITY":"5","MESSAGE":"started"}"#)
                == [
                    #"{"GUESTLOG_TIME":"2023-11-14T22:13:20.000001000Z","_HOSTNAME":"h","NAME":"kata-runtime","SOURCE":"s2","#
                        + #""PRIORITY":"5","msg":"started","name":"kata-runtime","level":"info","sandbox":"s2"}"#
                ]
        )
    }

    @Test("a console's line of the Rust runtime is what the guest printed, or its agent's record")
    func rustConsole() throws {
        func fields(_ line: String) throws -> JSON { try JSON(parsing: #require(kata(line).first).utf8) }
        let head = #"{"__REALTIME_TIMESTAMP":"1700000000000001","NAME":"kata-runtime","SOURCE":"s2","PRIORITY":"5","#
        let text = try fields(head + #""MESSAGE":"vm console: \"\\u{1b}[90mboot \\\"x\\\" \\u{1f600}\\tend\""}"#)
        #expect(text["msg"]?.text == "\u{1b}[90mboot \"x\" \u{1f600}\tend" && text["source"]?.text == "vmconsole")
        #expect(text["sandbox"]?.text == "s2" && text["level"]?.text == "info")
        let agent = try fields(
            head + #""MESSAGE":"vm console: \"{\\\"msg\\\":\\\"hi\\\",\\\"level\\\":\\\"WARN\\\","#
                + #"\\\"sandbox\\\":\\\"s3\\\"}\""}"#
        )
        #expect(agent["msg"]?.text == "hi" && agent["level"]?.text == "warning")
        #expect(agent["sandbox"]?.text == "s2" && agent["agent_sandbox"]?.text == "s3")
        let line = #"{"msg":"vm console: \"boot\"","level":"INFO","ts":"2025-01-01T00:00:00Z","name":"kata-runtime"}"#
        let other = try fields(line)
        #expect(other["msg"]?.text == "boot" && other["source"]?.text == "vmconsole")
        #expect(other["GUESTLOG_TIME"]?.text == "2025-01-01T00:00:00.000000000Z")
        let invalid = try fields(line.replacing("boot", with: #"\\u{} \\u{1b \\u{1234567}"#))
        #expect(invalid["msg"]?.text == #"\u{} \u{1b \u{1234567}"#)
        let nul = try fields(line.replacing("boot", with: #"a\\0b\\033\\\\0"#))
        #expect(nul["msg"]?.text == #"a\#u{0}b\#u{0}33\0"#)
    }
}
