// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct JSONFieldParserTests {
    private func json(_ line: String, flattens: Bool = false) -> String? {
        let line = Array(line.utf8)
        var record = RecordBuffer()
        let base = record.store(line).lowerBound
        let separator = flattens ? UInt8(ascii: ".") : nil
        let end = line.withUnsafeBytes {
            JSONFieldParser.parse($0, at: base, into: &record, flattenedWith: separator)
        }
        guard end != nil else {
            return nil
        }
        var out: [UInt8] = []
        record.appendJSON(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test("numbers keep their digits, strings their characters, other values their text")
    func exact() {
        let line =
            #"{"a":12345678901234567890,"b":1.10,"c":1e400,"d":[1, 2.5],"e":{"f": null},"g":"\u00e9\n","h":true}"#
        let wanted = #"{"a":12345678901234567890,"b":1.10,"c":1e400,"d":[1,2.5],"e":{"f":null},"g":"é\n","h":true}"#
        #expect(json(line) == wanted)
    }

    @Test("members of objects become fields, their names joined with points")
    func flattened() {
        #expect(
            json(#"{"E":{"I":{"Index":4,"S":{"Rx":1,"Tx":2}},"x":[{}]},"m":{},"n":"v"}"#, flattens: true)
                == #"{"E.I.Index":4,"E.I.S.Rx":1,"E.I.S.Tx":2,"E.x":[{}],"m":{},"n":"v"}"#
        )
    }

    @Test("of a cut or malformed object the complete members are kept, and the rest as it is")
    func damaged() {
        let fault = #""GUESTLOG_PARSE_ERROR":"malformed or incomplete JSON""#
        #expect(json(#"{"a":"x","b":"y"#) == #"{"a":"x",\#(fault),"GUESTLOG_UNPARSED":",\"b\":\"y"}"#)
        #expect(json(#"{"a":1,}"#) == #"{"a":1,\#(fault),"GUESTLOG_UNPARSED":",}"}"#)
        #expect(json("{") == #"{\#(fault),"GUESTLOG_UNPARSED":"{"}"#)
        #expect(json("text") == nil)
    }

    @Test("what is hostile stays bounded: depth, lengths, random bytes")
    func hostile() {
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
        #expect(json(deep)?.contains("malformed") == true)
        let nested = String(repeating: #"{"a":"#, count: 2000) + "1" + String(repeating: "}", count: 2000)
        #expect(json(nested, flattens: true)?.contains("malformed") == true)
        var generator = SeededGenerator(seed: 32)
        let alphabet = Array("{}[]\",:\\u01ab -.etrufalsn".unicodeScalars)
        for _ in 0..<2000 {
            var text = "{\"A\":"
            for _ in 0..<Int.random(in: 0..<40, using: &generator) {
                text.unicodeScalars.append(alphabet.randomElement(using: &generator)!)
            }
            for flattens in [false, true] {
                if let line = json(text, flattens: flattens) {
                    #expect(Array(line.utf8).withUnsafeBytes { JSONScanner.isObject($0) }, "\(text)")
                }
            }
        }
    }

    @Test("times are read with nine decimals and any offset, and written with nine")
    func times() {
        func time(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) } }
        #expect(time("2020-02-21T10:31:27.810781647Z") == 1_582_281_087_810_781_647)
        #expect(time("2020-02-21T18:31:27.81+08:00") == 1_582_281_087_810_000_000)
        #expect(time("2020-02-21T02:31:27-08:00") == 1_582_281_087_000_000_000)
        #expect(time("2020-02-21T18:02:27.5+07:31") == 1_582_281_087_500_000_000)
        #expect(time("2020-02-21t10:31:27z") == 1_582_281_087_000_000_000)
        #expect(time("1969-12-31T23:59:59.999999999Z") == -1)
        for wrong in [
            "", "2020-02-21", "2020-02-30T00:00:00Z", "2020-02-21T10:31:27", "2020-02-21T10:31:27.Z", "now",
            "2020-02-21T10:31:27+0800", "9999-12-31T00:00:00Z", "2020-02-21T10:31:27Zx",
        ] {
            #expect(time(wrong) == nil, "\(wrong)")
        }
        for nanoseconds in [0, -1, 1_582_281_087_810_781_647, Int64.max, Int64.min] {
            var record = RecordBuffer()
            record.time = nanoseconds
            var out: [UInt8] = []
            record.appendJSON(to: &out)
            #expect(
                String(decoding: out, as: UTF8.self)
                    == #"{"GUESTLOG_TIME":"\#(Timestamp.rfc3339(nanoseconds: nanoseconds))"}"#
            )
        }
    }
}
