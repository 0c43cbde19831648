// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

@Suite(.blocking) struct FramedRecordsTests {
    private static let sizes = [1, 7, 1000, Int.max]

    /// An entry of docker's `local` driver.
    private static func entry(_ text: String, error: Bool = false, time: UInt64, isLast: Bool? = nil) -> [UInt8] {
        var message: [UInt8] = []
        ProtobufWriter.append(1, bytes: (error ? "stderr" : "stdout").utf8, to: &message)
        ProtobufWriter.append(2, varint: time, to: &message)
        ProtobufWriter.append(3, bytes: text.utf8, to: &message)
        if let isLast {
            ProtobufWriter.append(4, varint: 1, to: &message)
            ProtobufWriter.append(5, to: &message) { part in
                ProtobufWriter.append(1, varint: isLast ? 1 : 0, to: &part)
                ProtobufWriter.append(2, bytes: "id".utf8, to: &part)
                ProtobufWriter.append(3, varint: 2, to: &part)
            }
        }
        let size = (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) }
        return size + message + size
    }

    private static let first = #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000001Z","stream":"stdout","message":"one"}"#
    private static let last = #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000004Z","stream":"stdout","message":"three"}"#

    @Test("entries of docker's local driver are read in any pieces, and parts are joined", arguments: sizes)
    func dockerLocal(pieces: Int) {
        let log =
            Self.entry("one", time: 1) + Self.entry("tw", error: true, time: 2, isLast: false)
            + Self.entry("o", error: true, time: 3, isLast: true) + Self.entry("three\n", time: 4)
        let second =
            #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000002Z","stream":"stderr","message":"two"}"#
        #expect(decoded(log, .dockerLocal, pieces: pieces) == [Self.first, second, Self.last])
    }

    @Test("damage between entries hides none of them, and is kept", arguments: sizes)
    func dockerDamage(pieces: Int) {
        let torn = Self.entry("torn", time: 2).dropLast(9)
        let zeros = [UInt8](repeating: 0, count: 5000)
        for damage in [Array(torn), Array("text\n".utf8), zeros, [0xff, 0xff, 0xff, 0xff]] {
            let log = Self.entry("one", time: 1) + damage + Self.entry("three", time: 4)
            let records = decoded(log, .dockerLocal, pieces: pieces)
            #expect(records.first == Self.first && records.last == Self.last, "\(damage.prefix(20)): \(records)")
            #expect(records.count <= 3)
        }
        let cut = decoded(Self.entry("one", time: 1) + torn, .dockerLocal, pieces: pieces)
        #expect(cut.count == 2 && cut[0] == Self.first && cut[1].contains("GUESTLOG_UNPARSED"))
    }

    @Test("a size that no entry has holds nothing back for long")
    func boundedDamage() {
        var frames = FramedRecords(.dockerLocal)
        var returned: UInt64 = 0
        let noise = [UInt8](repeating: 0xee, count: 4096)
        for _ in 0..<100 {
            noise.withUnsafeBytes { frames.add($0) { returned += $1 } }
        }
        #expect(returned >= 300_000)
    }

    @Test("VIC's framing: each entry's own time and stream; long lines are joined", arguments: sizes)
    func iolog(pieces: Int) throws {
        var encoder = IOLogEncoder()
        var log: [UInt8] = []
        let long = String(repeating: "x", count: 9000)
        for (number, text) in ["one\n", long + "\n", "tail"].enumerated() {
            log += encoder.add(text.utf8, isError: number == 1, time: Int64(number + 1))
        }
        log += encoder.finish(time: 9)
        let records = decoded(log, .iolog, pieces: pieces)
        #expect(records.count == 3)
        #expect(records.first == Self.first)
        #expect(records.dropFirst().first?.contains(#""stream":"stderr","message":"\#(long)""#) == true)
        #expect(records.last?.contains(#""message":"tail""#) == true)
    }

    @Test("a time without a year is completed from the time of reading, also in a parser")
    func yearOfSyslog() throws {
        let now = Timestamp(utc: CivilTime(year: 2019, month: 6, day: 1))
        let text = "May 20 17:00:00 host sshd[12]: text\n"
        #expect(try #require(decoded(text.utf8, .syslog, now: now).first).contains(#""GUESTLOG_TIME":"2019-05-2"#))
        var record = RecordBuffer()
        record.append("message", text)
        var pipeline = Pipeline([
            PipelineStage(match: "*", filters: [.parser(ParserFilter(key: "message", format: .syslog))])
        ])
        var years: [String] = []
        pipeline.process(&record, tag: "t", readAt: now) { record, _ in
            years.append(Timestamp(microseconds: (record.time ?? 0) / 1000).description)
        }
        #expect(years.count == 1 && years[0].hasPrefix("2019-05-2"), "\(years)")
    }

    @Test("lines of syslog files, and messages with PRI")
    func syslog() {
        let text = """
            Nov 20 17:00:00 host sshd[12]: Accepted publickey for root
            2025-11-20T17:00:00.5+01:00 host kernel: [    1.0] Linux version
            <165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 app 8710 ID47 [x@1 a="b"] text

            """
        let records = decoded(text.utf8, .syslog)
        #expect(records.count == 3)
        #expect(
            records[0].contains(#""host":"host","ident":"sshd","pid":"12","message":"Accepted publickey for root""#)
        )
        #expect(
            records[1]
                == #"{"GUESTLOG_TIME":"2025-11-20T16:00:00.500000000Z","host":"host","ident":"kernel","#
                + #""message":"[    1.0] Linux version"}"#
        )
        #expect(
            records[2]
                == #"{"GUESTLOG_TIME":"2003-08-24T12:14:15.000003000Z","facility":20,"severity":"notice","#
                + #""host":"192.0.2.1","ident":"app","pid":"8710","msgid":"ID47","x@1.a":"b","message":"text"}"#
        )
    }
}
