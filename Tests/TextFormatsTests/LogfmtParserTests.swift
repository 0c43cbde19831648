// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct LogfmtParserTests {
    /// The canonical line of what is parsed.
    static func json(_ line: some Sequence<UInt8>) -> String {
        let line = Array(line)
        var record = RecordBuffer()
        let base = record.store(line).lowerBound
        _ = line.withUnsafeBytes { LogfmtParser.parse($0, at: base, into: &record) }
        var out: [UInt8] = []
        record.appendJSON(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    static func json(_ line: String) -> String { json(line.utf8) }

    @Test(
        "pairs as go-logfmt, kr/logfmt and Fluent Bit read them",
        arguments: [
            (
                #"level=info msg="release sandbox" arch=amd64"#,
                #"{"level":"info","msg":"release sandbox","arch":"amd64"}"#
            ),
            ("k=", #"{"k":""}"#), (#"k="""#, #"{"k":""}"#), ("k", #"{"k":true}"#), ("a b=1", #"{"a":true,"b":1}"#),
            ("msg=a=b", #"{"msg":"a=b"}"#), (#"m=ab"c"#, #"{"m":"ab\"c"}"#), ("  a=1\t\tb=2\r", #"{"a":1,"b":2}"#),
            ("", "{}"), (" \t ", "{}"), ("a=1 a=2 b=x a=3", #"{"a":["1","2","3"],"b":"x"}"#),
        ]
    )
    func pairs(line: String, wanted: String) {
        #expect(Self.json(line) == wanted)
    }

    @Test(
        "bare integers and truth values are literals with their exact text, other values text",
        arguments: [
            ("pid=14314", #"{"pid":14314}"#), ("n=-7 z=0", #"{"n":-7,"z":0}"#),
            ("t=true f=false", #"{"t":true,"f":false}"#),
            (#"pid="14314""#, #"{"pid":"14314"}"#), ("n=007", #"{"n":"007"}"#), ("v=1.10", #"{"v":"1.10"}"#),
            ("id=12e45678", #"{"id":"12e45678"}"#), ("n=-", #"{"n":"-"}"#), ("n=-0", #"{"n":"-0"}"#),
            ("n=999999999999999999", #"{"n":999999999999999999}"#),
            ("n=9999999999999999999", #"{"n":"9999999999999999999"}"#),
        ]
    )
    func literals(line: String, wanted: String) {
        #expect(Self.json(line) == wanted)
    }

    @Test("escapes of Go's %q and of JSON are decoded; bytes that are not UTF-8 survive")
    func escapes() {
        #expect(Self.json(#"m="a\n\t\"\\\/\'b""#) == #"{"m":"a\n\t\"\\/'b"}"#)
        #expect(Self.json(#"m="\x1b[0;32m\a\v""#) == #"{"m":"\u001b[0;32m\u0007\u000b"}"#)
        #expect(Self.json(#"m="\u00e9\U0001f600\ud83d\ude00""#) == #"{"m":"é😀😀"}"#)
        #expect(Self.json(#"m="\ud83dx\101\x00y""#) == #"{"m":"\#u{fffd}xA\u0000y"}"#)
        #expect(Self.json(#"m="\xff\xfe""#) == #"{"m":[255,254]}"#)
        #expect(Self.json(Array("m=".utf8) + [0xff, 0x41]) == #"{"m":[255,65]}"#)
        #expect(Self.json(#"m="\q \x1 \u12 \400""#) == #"{"m":"\\q \\x1 \\u12 \\400"}"#)
    }

    @Test(
        "nothing is dropped of what is no pair, and the pairs behind it are read",
        arguments: [
            (
                #"est" name=kata pid=1"#,
                #"{"GUESTLOG_PARSE_ERROR":"something is not a key=value pair","GUESTLOG_UNPARSED":"est\"","name":"kata","pid":1}"#
            ),
            (#""x""#, #"{"GUESTLOG_PARSE_ERROR":"something is not a key=value pair","GUESTLOG_UNPARSED":"\"x\""}"#),
            ("=v a=1", #"{"GUESTLOG_PARSE_ERROR":"something is not a key=value pair","GUESTLOG_UNPARSED":"=v","a":1}"#),
            (#"msg="no end"#, #"{"GUESTLOG_PARSE_ERROR":"a quote is not closed","msg":"no end"}"#),
            (
                #"msg="no end name=kata source=agent"#,
                #"{"GUESTLOG_PARSE_ERROR":"a quote is not closed","msg":"no end","name":"kata","source":"agent"}"#
            ),
            (
                #"msg="no end name="kata" pid=3"#,
                #"{"GUESTLOG_PARSE_ERROR":"a quote is not closed","msg":"no end","name":"kata","pid":3}"#
            ),
        ]
    )
    func salvage(line: String, wanted: String) {
        #expect(Self.json(line) == wanted)
    }

    @Test("a second record in a line is left for the next call")
    func glued() {
        let line = Array("time=1 a=x time=2 a=y".utf8)
        var record = RecordBuffer()
        let base = record.store(line).lowerBound
        let end = line.withUnsafeBytes { LogfmtParser.parse($0, at: base, into: &record, stopKey: "time") }
        #expect(end == 11 && record.fields.count == 2)
    }

    @Test("random bytes: each record is JSON, and its fields are parsed again as they are")
    func hostile() {
        var generator = SeededGenerator(seed: 31)
        let alphabet = Array("ab=\"\\ \tx0u1,n".utf8) + [0, 0x80, 0xff, 0xc3, 0xa9]
        for _ in 0..<2000 {
            let line = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            let json = Array(Self.json(line).utf8)
            #expect(json.withUnsafeBytes { JSONScanner.isObject($0) }, "\(line)")
        }
    }
}
