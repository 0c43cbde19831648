// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import GuestCollector

@Suite(.blocking) struct SyslogConversationTests {
    private func detect(_ text: String) throws -> GuestProtocol? {
        try GuestProtocol.detect(Array(text.utf8))
    }

    @Test("syslog over TCP is stored as the agent's messages are, with either framing", arguments: [true, false])
    func stored(isCounted: Bool) throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        for message in [
            "<27>Nov 30 15:44:05 web1 app[7]: one", #"<165>1 2026-11-30T15:44:05Z h su 8 ID7 [e@1 a="b"] two"#,
            "<13>t: ",
        ] {
            end.send(isCounted ? "\(message.utf8.count) \(message)" : "\(message)\n")
        }
        end.finish()
        #expect(end.isClosed())
        #expect(try eventually { try fixture.values() == ["one", "two", ""] })
        #expect(try fixture.values(of: "SYSLOG_IDENTIFIER") == ["app", "su", "t"])
        #expect(try fixture.values(of: "_HOSTNAME") == ["web1", "h"])
        #expect(try fixture.values(of: "SYSLOG_FACILITY") == ["3", "20", "1"])
        #expect(try fixture.values(of: "e@1.a") == ["b"])
    }

    @Test("the messages before a broken frame are stored")
    func brokenFrame() throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        end.send("8 <13>a: x<13>b: y\n")
        #expect(end.isClosed())
        #expect(try eventually { try fixture.values() == ["x"] })
    }

    @Test("each protocol is known by its first bytes, however few arrive at once")
    func protocols() throws {
        for (text, expected) in [
            ("\0GL", GuestProtocol.agent), ("__CURSOR=x", .journal), ("MESSAGE\n", .journal), ("\n", .journal),
            ("POST /upload", .upload), ("GET /", .upload), ("PRI * HTTP/2.0", .logCollector),
            ("<13>x", .syslog(.lines)),
            ("<165>1 - ", .syslog(.lines)), ("123 <13>x", .syslog(.octetCounting)),
        ] {
            #expect(try detect(text) == expected, "\(text)")
            for length in 0..<text.utf8.count {
                let found = try detect(String(text.prefix(length)))
                #expect(found == nil || found == expected, "\(text.prefix(length))")
            }
        }
    }

    @Test(
        "what is none of the protocols is named",
        arguments: [
            ("\u{16}\u{3}\u{1}", "TLS"), ("SSH-2.0-OpenSSH", "SSH"), ("1 open 85 relp_version=0", "RELP"),
            ("hello world", "hello world"), ("Nov 30 15:44:05 t: x", "Nov 30"), ("<1234>x", "<1234>x"), ("<>x", "<>x"),
            ("EHLO mail", "EHLO"), ("{\"a\":1}", "unknown protocol"), ("12345 x", "12345 x"),
        ]
    )
    func unknown(_ text: String, name: String) throws {
        let error = #expect(throws: UnknownProtocol.self) { _ = try detect(text) }
        #expect(error?.description.contains(name) == true, "\(String(describing: error))")
    }

    @Test(
        "a connection with another protocol is closed",
        arguments: ["\u{16}\u{3}\u{1}\0", "SSH-2.0-x\r\n", "bad name=1\nMESSAGE=x\n\n", "hello\nyou there\n\n"]
    )
    func closed(_ text: String) throws {
        let fixture = try CollectorFixture()
        let end = try GuestEnd(fixture.socket)
        end.send(text)
        #expect(end.isClosed())
    }
}
