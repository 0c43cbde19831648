// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct StructuredRecordTests {
    private func parse(_ text: String) -> StructuredRecord? {
        parse(Array(text.utf8))
    }

    private func parse(_ bytes: [UInt8]) -> StructuredRecord? {
        bytes.withUnsafeBytes { StructuredRecord(parsing: $0) }
    }

    private func values(_ text: String, _ name: String) -> [String]? {
        parse(text)?.values(of: Array(name.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("fields as journalctl -o json writes them: text, bytes, several values, and other JSON by its text")
    func kinds() {
        #expect(values(#"{"A":"one","B":"two"}"#, "B") == ["two"])
        #expect(parse(#"{"A":[255,0,10]}"#)?.values(of: Array("A".utf8)) == [[255, 0, 10]])
        #expect(values(#"{"A":["one","two"]}"#, "A") == ["one", "two"])
        #expect(values(#"{"A":[[104,105],"x"]}"#, "A") == ["hi", "x"])
        #expect(values(#"{"A":-12.5e3,"B":true,"C":null}"#, "A") == ["-12.5e3"])
        #expect(values(#"{"A":{"b":[1,"}"]},"C":1}"#, "A") == [#"{"b":[1,"}"]}"#])
        #expect(values(#"{"A":[300]}"#, "A") == ["[300]"])
        #expect(values(#" { "A" : "x" , "B" : 1 } "#, "B") == ["1"])
        #expect(parse("{}")?.fields.isEmpty == true)
    }

    @Test("escapes are decoded, halves of surrogate pairs replaced")
    func escapes() {
        #expect(values(#"{"A":"a\n\t\"\\\/\u00e9\ud83d\ude00"}"#, "A") == ["a\n\t\"\\/\u{e9}\u{1f600}"])
        #expect(values(#"{"A":"\ud83dx"}"#, "A") == ["\u{fffd}x"])
    }

    @Test(
        "what is not one object is no record",
        arguments: [
            "", "text", "[1]", "{", "{\"A\"", "{\"A\":", "{\"A\":\"x", "{\"A\":\"x\"", "{\"A\":\"x\"}}",
            "{\"A\":\"\\x\"}",
            "{\"A\":\"\\u12\"}", "{\"A\":1,}", "{A:1}", "{\"A\":[1}", "{\"A\":\"x\"} y",
        ]
    )
    func malformed(text: String) {
        #expect(parse(text) == nil)
    }

    @Test("nesting of any depth, and random bytes, neither crash nor take long")
    func hostile() {
        let deep = Array("{\"A\":".utf8) + Array(repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(parse(deep) == nil)
        #expect(
            parse(deep + Array(repeating: UInt8(ascii: "]"), count: 1_000_000) + Array("}".utf8))?.fields.count == 1
        )
        var generator = SeededGenerator(seed: 11)
        let alphabet = Array("{}[]\",:\\u01ab \n-.e".utf8) + [0, 0x80, 0xff]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0..<40, using: &generator)
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator)! }
            if var record = parse(Array("{\"A\":".utf8) + bytes) {
                // What is stored are strings.
                record.fields.indices.forEach { record.fields[$0].isLiteral = false }
                #expect(parse(record.encoded()) == record, "\(bytes)")
            }
        }
    }

    @Test("what is encoded is parsed again: every field's bytes can be had back")
    func roundTrip() {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<2000 {
            let fields = (0..<Int.random(in: 0..<5, using: &generator)).map { number in
                let values = (0..<Int.random(in: 1..<4, using: &generator)).map { _ in
                    (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
                        UInt8.random(in: 0...255, using: &generator)
                    }
                }
                return StructuredRecord.Field(Array("F\(number)".utf8), values)
            }
            let record = StructuredRecord(fields)
            let line = record.encoded()
            #expect(parse(line) == record, "\(String(decoding: line, as: UTF8.self))")
            #expect(line.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
        }
    }

    @Test("message, severity and identifier, of the journal and of programs that write JSON")
    func meaning() {
        let journal = parse(#"{"MESSAGE":"hi","PRIORITY":"3","SYSLOG_IDENTIFIER":"sshd","_PID":"12"}"#)
        #expect(journal?.message == Array("hi".utf8) && journal?.severity == .error)
        #expect(journal?.identifier == Array("sshd[12]".utf8))
        let kata = parse(#"{"level":"warning","msg":"slow","subsystem":"qmp"}"#)
        #expect(kata?.message == Array("slow".utf8) && kata?.severity == .warning && kata?.identifier == nil)
        #expect(kata?.otherFields.map { String(decoding: $0.name, as: UTF8.self) } == ["level", "subsystem"])
    }

    @Test("the record's own time is its first member, with nanoseconds, and is read to the microsecond")
    func time() {
        let line = StructuredRecord([.init("MESSAGE", "x")]).encoded(nanoseconds: 1_763_658_005_123_456_789)
        let text = #"{"GUESTLOG_TIME":"2025-11-20T17:00:05.123456789Z","MESSAGE":"x"}"#
        #expect(String(decoding: line, as: UTF8.self) == text)
        let time = line.withUnsafeBytes { StructuredRecord.time(in: $0) }
        #expect(time?.microseconds == 1_763_658_005_123_456)
        for other in [#"{"MESSAGE":"x"}"#, #"{"GUESTLOG_TIME":"yesterday, at about five o'clock","A":"b"}"#, ""] {
            #expect(Array(other.utf8).withUnsafeBytes { StructuredRecord.time(in: $0) } == nil)
        }
    }

    @Test("RFC 3339 times are read to the microsecond; impossible ones are refused")
    func rfc3339() {
        func time(_ text: String) -> Int64? { Timestamp(rfc3339: Array(text.utf8))?.microseconds }
        #expect(time("1970-01-01T00:00:01Z") == 1_000_000)
        #expect(time("1970-01-01T00:00:01.5Z") == 1_500_000)
        #expect(time("1969-12-31T23:59:59.999999999Z") == -1)
        for wrong in [
            "2025-02-30T00:00:00Z", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00", "2025-01-01T00:00:00.Z", "",
        ] {
            #expect(time(wrong) == nil)
        }
        #expect(Timestamp.rfc3339(nanoseconds: -1) == "1969-12-31T23:59:59.999999999Z")
    }
}
