// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

/// What a text costs is in proportion to its length, however many records are in it.
@Suite(.blocking) struct TextLimitTests {
    private let many = String(repeating: #"{"a":1}"#, count: 250_000)

    @Test("a line with very many records: the first ones, and the rest as it is")
    func manyRecords() {
        var lines: [String] = []
        #expect(processorTime { lines = decoded(many.utf8, .kata) } < 20)
        #expect(lines.count == TextRecords.limit)
        #expect(lines[0] == #"{"a":1}"#)
        let last = lines.last ?? ""
        #expect(
            last.hasPrefix(
                #"{"a":1,"GUESTLOG_PARSE_ERROR":"too many records in one text","GUESTLOG_UNPARSED":"{\"a\":1}{"#
            )
        )
        #expect(last.utf8.count(where: { $0 == UInt8(ascii: "1") }) == 250_000 - lines.count + 1)
    }

    @Test("a field with very many records, beside others")
    func manyRecordsInField() {
        var record = RecordBuffer()
        record.append("log", many)
        record.append("other", "x")
        var parser = ParserFilter(key: "log", format: .kata)
        parser.reservesData = true
        var count = 0
        let time = processorTime {
            parser.apply(to: &record, readAt: Timestamp(microseconds: 0)) { record in
                count += 1
                #expect(record.value(of: Array("other".utf8)) != nil)
            }
        }
        #expect(time < 20)
        #expect(count == TextRecords.limit)
    }

    @Test("a field with very many fields, beside as many")
    func manyFields() {
        var record = RecordBuffer()
        let numbers = 100_000..<150_000
        record.append("text", numbers.map { "a\($0)=1" }.joined(separator: " "))
        for number in numbers {
            record.append(number.isMultiple(of: 2) ? "a\(number)" : "b\(number)", "x")
        }
        var parser = ParserFilter(key: "text", format: .logfmt)
        parser.reservesData = true
        let time = processorTime { parser.apply(to: &record, readAt: Timestamp(microseconds: 0)) { _ in } }
        #expect(time < 20)
        #expect(record.fields.count == 1 + numbers.count / 2 + numbers.count)
    }

    @Test("one message of very many programs")
    func manyPrograms() {
        var recent = RecentMessages()
        var record = RecordBuffer()
        let time = processorTime {
            for number in 0..<50_000 {
                record.removeAll()
                record.append("MESSAGE", "x")
                record.append("SYSLOG_IDENTIFIER", "\(number)")
                _ = recent.isCopy(record)
            }
        }
        #expect(time < 20)
    }

    @Test("a value with very many short lines is divided")
    func manyLines() {
        let text = #"time="2020-02-21T10:31:30Z" level=info msg=""# + String(repeating: "x\n", count: 30_000)
        var lines: [String] = []
        #expect(processorTime { lines = decoded(text.utf8, .kata) } < 20)
        #expect(lines.count > 1 && lines[0].contains(String(repeating: #"x\n"#, count: 200)))
    }
}
