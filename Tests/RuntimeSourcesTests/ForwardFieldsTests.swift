// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing
import TextFormats

@testable import RuntimeSources

@Suite(.blocking) struct ForwardFieldsTests {
    private func record(_ packed: [UInt8]) throws -> RecordBuffer {
        var reader = MessagePackReader(packed[...])
        var record = RecordBuffer()
        ForwardFields.read(try reader.next(), time: 0, tag: Array("t".utf8), into: &record)
        return record
    }

    private func line(_ record: RecordBuffer) -> String {
        var out: [UInt8] = []
        record.appendJSON(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test("members of maps become fields, their names joined with points")
    func joined() throws {
        let inner = Pack.map(("c", Pack.text("x")), ("d", Pack.map()))
        let record = try record(Pack.map(("a", Pack.map(("b", inner))), ("e", Pack.text("y"))))
        #expect(
            line(record)
                == #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000000Z","a.b.c":"x","a.b.d":{},"e":"y","tag":"t"}"#
        )
    }

    @Test("a map whose joined names would be much longer than its contents is one field", arguments: [1, 3])
    func longPrefix(depth: Int) throws {
        let name = String(repeating: "p", count: 10_000)
        var map = Pack.bytes { MessagePackWriter.append(mapOf: 1000, to: &$0) }
        for number in 0..<1000 {
            map += Pack.text("m\(number)") + Pack.text("")
        }
        for _ in 0..<depth {
            map = Pack.map((name, map))
        }
        let packed = Pack.map(("first", Pack.map(("a", Pack.text("")))), ("o", map), ("last", Pack.text("")))
        let record = try record(packed)
        #expect(record.bytes.count < 6 * packed.count)
        let names = record.fields.map { String(decoding: record[$0.name], as: UTF8.self) }
        #expect(names == ["first.a", "o", "last", "tag"])
        #expect(try JSON(parsing: line(record).utf8)["o"] != nil)
    }
}
