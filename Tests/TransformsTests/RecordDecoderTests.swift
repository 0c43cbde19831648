// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

@Suite(.blocking) struct RecordDecoderTests {
    @Test("parts of containers' lines are joined per stream, at the time of the first")
    func parts() {
        let a = String(repeating: "a", count: 16_384)
        let text = """
            2026-01-01T00:00:00.1Z stdout P \(a)
            2026-01-01T00:00:00.2Z stderr F err
            2026-01-01T00:00:00.3Z stdout P \(a)
            2026-01-01T00:00:00.4Z stdout F end

            """
        for pieces in [7, 1000, Int.max] {
            #expect(
                decoded(text.utf8, .cri, pieces: pieces) == [
                    #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.200000000Z","stream":"stderr","message":"err"}"#,
                    #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.100000000Z","stream":"stdout","message":"\#(a + a)end"}"#,
                ]
            )
        }
    }

    @Test("a log that ends after a part, without text or with unknown tags is read")
    func criEnds() {
        #expect(
            decoded(
                "2026-01-01T00:00:00Z stdout P x\n2026-01-01T00:00:01Z stderr F\n2026-01-01T00:00:01Z stderr F:q:r  y"
                    .utf8,
                .cri
            )
                == [
                    #"{"GUESTLOG_TIME":"2026-01-01T00:00:01.000000000Z","stream":"stderr","message":""}"#,
                    #"{"GUESTLOG_TIME":"2026-01-01T00:00:01.000000000Z","stream":"stderr","message":" y"}"#,
                    #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.000000000Z","stream":"stdout","message":"x","partial":true}"#,
                ]
        )
        #expect(decoded("no container's line".utf8, .cri)[0].contains("GUESTLOG_UNPARSED"))
    }

    @Test("docker's lines are joined until their line feed; NULs that a crash left are skipped")
    func docker() {
        let nuls = [UInt8](repeating: 0, count: 300)
        let first = Array(#"{"log":"one \u003c\n","stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"}"#.utf8)
        let rest = Array(
            """

            {"log":"two ","stream":"stderr","time":"2026-01-01T00:00:01Z"}
            {"log":"parts\\n","stream":"stderr","attrs":{"a":"b"},"time":"2026-01-01T00:00:02Z"}

            """.utf8
        )
        #expect(
            decoded(first + rest + nuls + first, .docker) == [
                #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.123456789Z","stream":"stdout","message":"one <"}"#,
                #"{"GUESTLOG_TIME":"2026-01-01T00:00:01.000000000Z","stream":"stderr","message":"two parts"}"#,
                #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.123456789Z","stream":"stdout","message":"one <"}"#,
            ]
        )
    }

    @Test("a second object on a line of docker's, as a full disk leaves it, is kept")
    func dockerGlued() {
        let line = #"{"log":"one\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#
        let found = decoded((line + line.replacing("one", with: "two") + "\n").utf8, .docker)
        #expect(found.joined().contains("two"), "\(found)")
    }

    @Test("reading again from a record's end gives exactly the records after it", arguments: [RecordFormat.cri, .kata])
    func resume(_ format: RecordFormat) {
        var generator = SeededGenerator(seed: 42)
        for _ in 0..<200 {
            var text: [UInt8] = []
            for number in 0..<30 {
                text += format == .cri ? criLine(number, &generator) : kataLine(number, &generator)
            }
            var ends: [(RecordDecoder.Location, [String])] = []
            var all: [String] = []
            var decoder = RecordDecoder(format)
            func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
                all.append(json(record))
                ends.append((location, all))
            }
            text.withUnsafeBytes { decoder.add($0, readAt: Timestamp(microseconds: 0), add) }
            for (location, before) in ends {
                var again = RecordDecoder(format, at: location.end)
                var records: [String] = []
                text[Int(location.end)...].withUnsafeBytes { bytes in
                    again.add(bytes, readAt: Timestamp(microseconds: 0)) { record, _ in records.append(json(record)) }
                }
                #expect(before.count + records.count - location.skip == all.count)
                #expect(all.dropFirst(before.count).elementsEqual(records.dropFirst(location.skip)))
            }
        }
    }

    private func json(_ record: RecordBuffer) -> String {
        var line: [UInt8] = []
        record.appendJSON(to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    private func criLine(_ number: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let stream = Bool.random(using: &generator) ? "stdout" : "stderr"
        let tag = Int.random(in: 0..<3, using: &generator) == 0 ? "P" : "F"
        return Array("2026-01-01T00:00:\(10 + number)Z \(stream) \(tag) \(number);\n".utf8)
    }

    /// A line of a record that may go on in the next one, or of the guest's kernel.
    private func kataLine(_ number: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let lines = [
            "time=2026-01-01T00:00:\(10 + number)Z level=info msg=whole\(number)",
            "time=2026-01-01T00:00:\(10 + number)Z level=info msg=\"open\(number)", "closed\(number)\" a=b",
            "[    1.000000] kernel \(number)", "level=info msg=\(number)",
            #"{"msg":"a\#(number)"}{"msg":"b\#(number)"}"#,
            #"{"msg":"c\#(number)"#, #""}{"msg":"d\#(number)"}"#,
        ]
        return Array(((lines.randomElement(using: &generator) ?? "") + "\n").utf8)
    }

    @Test("a line of any length is one record, cut at the limit, and the next is whole")
    func longLine() {
        let text = "x=" + String(repeating: "v", count: 3 << 20) + "\ny=1\n"
        let lines = decoded(text.utf8, .logfmt, pieces: 65_536)
        #expect(lines.count == 2 && lines[0].hasSuffix(#","GUESTLOG_TRUNCATED":true}"#) && lines[1] == #"{"y":1}"#)
        #expect(lines[0].utf8.count < 2 << 20 + 100)
    }

    @Test("a hole of NULs of any size hides no record: before a line it is skipped, inside of one it ends the line")
    func holes() {
        for (size, pieces) in [(100, 7), (100, .max), (3 << 20, 65_536), (3 << 20, .max)] {
            let hole = [UInt8](repeating: 0, count: size)
            var text = hole
            for piece in ["x=1\ny=2\nhalf=3", "z=4\n", "end=5"] {
                text += Array(piece.utf8) + hole
            }
            #expect(
                decoded(text, .logfmt, pieces: pieces)
                    == [#"{"x":1}"#, #"{"y":2}"#, #"{"half":3}"#, #"{"z":4}"#, #"{"end":5}"#]
            )
        }
        #expect(decoded("a\0b\n".utf8, .text) == [#"{"message":"a\u0000b"}"#])
        let spaces = String(repeating: " ", count: 3 << 20)
        #expect(decoded((spaces + "x=1\n").utf8, .logfmt, pieces: 65_536) == [#"{"GUESTLOG_TRUNCATED":true}"#])
    }

    @Test(
        "a time in any form that programs write is the record's",
        arguments: [
            (#"{"time":1796050641,"msg":"x"}"#, "2026-11-30T14:57:21.000000000Z"),
            (#"{"ts":1796050641.25,"msg":"x"}"#, "2026-11-30T14:57:21.250000000Z"),
            (#"{"time":"1796050641123456","msg":"x"}"#, "2026-11-30T14:57:21.123456000Z"),
            (#"{"@timestamp":"2026-11-30 14:57:21,5+0000","msg":"x"}"#, "2026-11-30T14:57:21.500000000Z"),
            (#"{"timestamp":"2026-11-30T16:57:21.5+0200","msg":"x"}"#, "2026-11-30T14:57:21.500000000Z"),
            (#"{"time":null,"ts":"2026-11-30T14:57:21Z","msg":"x"}"#, "2026-11-30T14:57:21.000000000Z"),
        ]
    )
    func times(_ line: String, _ time: String) {
        for format in [RecordFormat.json, .kata] where format == .json || line.contains("time\":\"") {
            let found = decoded(line.utf8, format)
            #expect(found.count == 1 && found[0].hasPrefix(#"{"GUESTLOG_TIME":"\#(time)""#), "\(found)")
            #expect(!found[0].contains("GUESTLOG_PARSE_ERROR"))
        }
    }

    @Test("a time without an offset is local time, in logfmt and Kata's records too")
    func localTimes() {
        for format in [RecordFormat.logfmt, .kata] {
            let found = decoded("time=\"2026-11-30 14:57:21\" msg=x\n".utf8, format)
            #expect(found.count == 1 && found[0].hasPrefix(#"{"GUESTLOG_TIME":"2026-1"#), "\(found)")
        }
    }

    @Test("a time that cannot be read stays, and is told", arguments: [RecordFormat.json, .logfmt, .kata])
    func unreadableTime(_ format: RecordFormat) {
        let line = format == .json ? #"{"time":"noon","msg":"x"}"# : "time=noon msg=x"
        #expect(
            decoded(line.utf8, format)
                == [#"{"time":"noon","msg":"x","GUESTLOG_PARSE_ERROR":"the time cannot be read"}"#]
        )
    }

    @Test("entries of journalctl -o json have the journal's time")
    func journalEntries() {
        let line = #"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1700000000000001","MESSAGE":[104,105,255],"_PID":"1"}"#
        #expect(
            decoded(line.utf8, .json)
                == [#"{"GUESTLOG_TIME":"2023-11-14T22:13:20.000001000Z","MESSAGE":[104,105,255],"_PID":"1"}"#]
        )
    }

    @Test("a byte order mark is no part of a record")
    func byteOrderMark() {
        let line = #"{"time":"2026-11-30T14:57:21Z","msg":"x"}"# + "\n"
        let text = Array(("\u{feff}" + line + "\u{feff}" + line).utf8)
        for format in [RecordFormat.json, .kata] {
            #expect(decoded(text, format, pieces: 2) == decoded((line + line).utf8, format))
        }
    }

    @Test("the last words of a container's run are not joined with what its next run writes")
    func lastWords() {
        let text = """
            2026-01-01T00:00:00Z stdout P panic: 
            2026-01-01T00:00:01Z stdout P died
            2026-01-01T00:01:00Z stdout F next run

            """
        #expect(
            decoded(text.utf8, .cri) == [
                #"{"GUESTLOG_TIME":"2026-01-01T00:00:00.000000000Z","stream":"stdout","message":"panic: died","partial":true}"#,
                #"{"GUESTLOG_TIME":"2026-01-01T00:01:00.000000000Z","stream":"stdout","message":"next run"}"#,
            ]
        )
    }
}
