// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import LogStore
import Testing
import TestTraits
import TextFormats

@testable import Outputs

/// A record of the stream console0 of a VM.
func record(
    _ text: UnsafeRawBufferPointer,
    vm: String = "0",
    severity: Severity? = nil,
    time: Int64 = 0
) -> OutputRecord {
    var record = OutputRecord(
        RecordOrigin(stream: StreamID(vm: vm, stream: .console0), vm: VMIdentity(name: vm)),
        at: Cursor(offset: 4096),
        time: time,
        stored: Timestamp(microseconds: time / 1000),
        text: text
    )
    record.severity = severity
    return record
}

/// A message of a record with the text `text`.
private func message(
    _ text: String,
    _ format: SyslogFormat,
    vm: String = "0",
    severity: Severity? = nil,
    time: Int64 = 0
) -> String {
    let writer = SyslogWriter(format, facility: SyslogWriter.userFacility, zone: .utc)
    var out: [UInt8] = []
    Array(text.utf8).withUnsafeBytes { bytes in
        writer.append(record(bytes, vm: vm, severity: severity, time: time), to: &out)
    }
    return String(decoding: out, as: UTF8.self)
}

private func scrubbed(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    bytes.withUnsafeBytes { SyslogText.append($0, to: &out) }
    return String(decoding: out, as: UTF8.self)
}

@Suite(.blocking) struct SyslogTests {
    @Test(
        "the head of ChromeOS's forwarder is byte for byte the same",
        arguments: [
            (
                Severity.error, "Jan 17 23:54:11", "<11>",
                CivilTime(year: 2018, month: 1, day: 17, hour: 23, minute: 54, second: 11)
            ),
            (
                .emergency, "Dec 24 18:33:58", "<8>",
                CivilTime(year: 2018, month: 12, day: 24, hour: 18, minute: 33, second: 58)
            ),
            (.debug, "Jan  1 00:00:00", "<15>", CivilTime(year: 1970, month: 1, day: 1)),
            (nil, "Jun  2 17:15:47", "<13>", CivilTime(year: 2018, month: 6, day: 2, hour: 17, minute: 15, second: 47)),
            (.alert, "Jan  1 00:00:00", "<9>", CivilTime(year: 1957, month: 1, day: 1)),
        ] as [(Severity?, String, String, CivilTime)]
    )
    func chromeOS(severity: Severity?, stamp: String, priority: String, time: CivilTime) {
        let nanoseconds = Timestamp(utc: time).microseconds * 1000
        let text = message("Let the bells ring", .chromeos, severity: severity, time: nanoseconds)
        #expect(text == "\(priority)\(stamp) VM(0): Let the bells ring")
    }

    /// A message of a record with fields.
    private func fieldMessage(_ fields: [(String, String)], _ writer: SyslogWriter) -> String {
        let fields = StructuredRecord(fields.map { StructuredRecord.Field($0.0, $0.1) })
        var out: [UInt8] = []
        (fields.message ?? []).withUnsafeBytes { text in
            var record = record(text, vm: "web")
            record.fields = fields
            record.severity = fields.severity
            writer.append(record, to: &out)
        }
        return String(decoding: out, as: UTF8.self)
    }

    @Test("a program's text is after its name, as ChromeOS's guests send it; the kernel's is alone")
    func chromeOSProgram() {
        let writer = SyslogWriter(.chromeos, facility: SyslogWriter.userFacility, zone: .utc)
        let program = [("MESSAGE", "hi"), ("SYSLOG_IDENTIFIER", "sshd"), ("SYSLOG_PID", "42"), ("PRIORITY", "5")]
        #expect(fieldMessage(program, writer) == "<13>Jan  1 00:00:00 VM(web): sshd[42]: hi")
        let hostile = [("MESSAGE", "hi"), ("SYSLOG_IDENTIFIER", "a\n\u{202e}"), ("PRIORITY", "5")]
        #expect(fieldMessage(hostile, writer) == "<13>Jan  1 00:00:00 VM(web): a#012#20056: hi")
        let kernel = [("MESSAGE", "hi"), ("SYSLOG_IDENTIFIER", "kernel"), ("_TRANSPORT", "kernel"), ("PRIORITY", "3")]
        #expect(fieldMessage(kernel, writer) == "<11>Jan  1 00:00:00 VM(web): hi")
        #expect(fieldMessage([("MESSAGE", "hi"), ("PRIORITY", "5")], writer) == "<13>Jan  1 00:00:00 VM(web): hi")
    }

    @Test("a guest's emergency is at most critical at this host's daemon, and as it is elsewhere")
    func ceiling() {
        #expect(SyslogSettings(.unix("/dev/log"), format: .chromeos).ceiling == .critical)
        #expect(SyslogSettings(.udp(.unix("x")), format: .rfc5424).ceiling == .emergency)
        for format in SyslogFormat.allCases {
            let writer = SyslogWriter(format, facility: SyslogWriter.userFacility, ceiling: .critical, zone: .utc)
            for (priority, expected) in [("0", "<10>"), ("1", "<10>"), ("2", "<10>"), ("3", "<11>")] {
                #expect(fieldMessage([("MESSAGE", "x"), ("PRIORITY", priority)], writer).hasPrefix(expected))
            }
        }
    }

    @Test("every severity has its number in ChromeOS's facility")
    func priorities() {
        for severity in Severity.allCases {
            let text = message("x", .chromeos, severity: severity)
            #expect(text.hasPrefix("<\(8 + severity.rawValue)>"))
        }
    }

    @Test("text in any script passes unchanged")
    func harmless() {
        for text in ["", "plain ASCII \\ # text", "一二三 αβγ привет »", "\u{200b}\u{2027}\u{202f}"] {
            #expect(scrubbed(Array(text.utf8)) == text)
        }
    }

    @Test("control characters become # and their code in octal, noncharacters too")
    func controls() {
        #expect(
            scrubbed(Array("Embedded ".utf8) + [0xc2, 0x8c] + Array(" control ".utf8) + [7])
                == "Embedded #214 control #007"
        )
        #expect(scrubbed([0x09, 0x0a, 0x0d, 0x1b, 0x7f]) == "#011#012#015#033#177")
        #expect(scrubbed([0xef, 0xbf, 0xbe, 0xef, 0xb7, 0xa1]) == "#177776#176741")
        #expect(scrubbed([0xef, 0xb7, 0xaa]) == "#176752")
        #expect(scrubbed([0xf0, 0x9f, 0xbf, 0xbf]) == "#377777")
        #expect(scrubbed(Array("a\u{202e}\u{2028}\u{2067}b\u{61c}".utf8)) == "a#20056#20050#20147b#3034")
    }

    @Test("each maximal part of malformed UTF-8 becomes one replacement character")
    func malformed() {
        let replacement = "\u{fffd}"
        #expect(scrubbed([0xed, 0xba, 0xad]) == String(repeating: replacement, count: 3))
        #expect(scrubbed([0xf4, 0xaf, 0xbf, 0xbf]) == String(repeating: replacement, count: 4))
        #expect(scrubbed([0xf7, 0x9f, 0xbf, 0xbf]) == String(repeating: replacement, count: 4))
        #expect(scrubbed([0xe2, 0x82]) == replacement)
        let mixed: [UInt8] = [0x61, 0xc2, 0x91, 0x1c, 0xed, 0xaa, 0xaa, 0x62, 0xef, 0xbf, 0xbe, 0xef, 0xb7, 0xaa]
        #expect(scrubbed(mixed) == "a#221#034" + String(repeating: replacement, count: 3) + "b#177776#176752")
    }

    @Test("any bytes become valid UTF-8 without control characters")
    func anyBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let text = scrubbed(bytes)
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }, "\(bytes)")
            #expect(text.unicodeScalars.count >= text.utf8.count / 4)
        }
    }

    @Test("an RFC 5424 message has the record's id and time, and escapes what ends a parameter")
    func rfc5424() {
        let nanoseconds: Int64 = 1_763_658_005_000_123_456
        let text = message("hello\nworld", .rfc5424, vm: #"web"]\1"#, severity: .warning, time: nanoseconds)
        let id = #"web\"\]\\1/console0/4096"#
        #expect(
            text == #"<12>1 2025-11-20T17:00:05.000123Z web"]\1 console0 - - [guestlog@32473 id=""# + id
                + #"" stream="console0"] hello#012world"#
        )
    }

    @Test("an RFC 3164 message names the VM as the host and the stream as the program")
    func rfc3164() {
        let text = message("link is up", .rfc3164, vm: "web 1", severity: .notice)
        #expect(text == "<13>Jan  1 00:00:00 web_1 console0: link is up")
    }

    @Test("a journal's fields give the program and its process")
    func program() {
        let fields = StructuredRecord([.init("SYSLOG_IDENTIFIER", "sshd"), .init("_PID", "42"), .init("MESSAGE", "hi")])
        var out: [UInt8] = []
        Array("hi".utf8).withUnsafeBytes { text in
            var record = record(text, vm: "web")
            record.fields = fields
            SyslogWriter(.rfc3164, facility: 3, zone: .utc).append(record, to: &out)
        }
        #expect(String(decoding: out, as: UTF8.self) == "<30>Jan  1 00:00:00 web sshd[42]: hi")
    }
}

@Suite(.blocking) struct RELPTests {
    @Test("answers are cut off whatever pieces they arrive in")
    func pieces() throws {
        let text = Array("1 rsp 6 200 OK\n2 rsp 0\n33 rsp 9 500 error\n".utf8)
        for size in 1...text.count {
            var reader = RELPReader()
            var answers: [RELPReader.Frame] = []
            for start in stride(from: 0, to: text.count, by: size) {
                reader.append(Array(text[start..<min(text.count, start + size)]))
                while let answer = try reader.next() {
                    answers.append(answer)
                }
            }
            #expect(answers.map(\.transaction) == [1, 2, 33])
            #expect(answers.map(\.text) == ["200 OK", "", "500 error"])
        }
    }

    @Test(
        "what is not RELP ends the session",
        arguments: [
            "x rsp 6 200 OK\n", "1 rsp 99999999 x", "1 rsp 2 abc\n", "1 rsp -1 x\n", "HTTP/1.1 400 Bad Request\r\n",
        ]
    )
    func malformed(text: String) {
        var reader = RELPReader()
        reader.append(Array(text.utf8))
        #expect(throws: HTTPClientError.self) { _ = try reader.next() }
    }
}
