// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

/// What records cost is in proportion to their text, whatever that is.
@Suite(.blocking) struct RecordLimitTests {
    private func parse(_ line: String, flattens: Bool = true) -> RecordBuffer {
        let line = Array(line.utf8)
        var record = RecordBuffer()
        let base = record.store(line).lowerBound
        _ = line.withUnsafeBytes {
            JSONFieldParser.parse($0, at: base, into: &record, flattenedWith: flattens ? UInt8(ascii: ".") : nil)
        }
        return record
    }

    private func canonical(_ record: RecordBuffer) -> [UInt8] {
        var out: [UInt8] = []
        record.appendJSON(to: &out)
        return out
    }

    @Test("an object whose joined names would be much longer than its text is one field", arguments: [1, 3])
    func longPrefix(depth: Int) throws {
        let name = String(repeating: "p", count: 10_000)
        let members = (0..<1000).map { #""m\#($0)":1"# }.joined(separator: ",")
        let object = String(repeating: #"{"\#(name)":"#, count: depth) + "{\(members)}"
        let line = #"{"first":{"a":1},"o":"# + object + String(repeating: "}", count: depth) + #","last":{"a":1}}"#
        let record = parse(line)
        #expect(record.bytes.count < 6 * line.utf8.count)
        let stored = try #require(canonical(record).withUnsafeBytes { StructuredRecord(parsing: $0) })
        #expect(stored.fields.map { String(decoding: $0.name, as: UTF8.self) } == ["first.a", "o", "last"])
        #expect(
            stored.values(of: Array("o".utf8)) == [
                Array(object.utf8) + [UInt8](repeating: UInt8(ascii: "}"), count: depth)
            ]
        )
    }

    @Test("names of a usual length are joined, however many there are")
    func manyMembers() {
        let members = (0..<1000).map { #""member-\#($0)":"value \#($0)""# }.joined(separator: ",")
        #expect(parse(#"{"kubernetes":{"labels":{\#(members)}}}"#).fields.count == 1000)
    }

    @Test("a damaged object inside is kept as far as it goes")
    func damaged() {
        let record = parse(#"{"a":{"b":1,"c":"#)
        let line = String(decoding: canonical(record), as: UTF8.self)
        #expect(line.hasPrefix(#"{"a.b":1,"GUESTLOG_PARSE_ERROR""#))
    }

    @Test("100,000 names of one length, and as many values of a few names")
    func manyNames() throws {
        let names = (0..<100_000).map { "\(100_000 + $0)" }
        let record = parse("{" + names.map { #""\#($0)":1"# }.joined(separator: ",") + "}")
        var line: [UInt8] = []
        #expect(processorTime { line = canonical(record) } < 20)
        #expect(line.withUnsafeBytes { StructuredRecord(parsing: $0) }?.fields.count == 100_000)
        var repeated = parse("{" + (0..<100_000).map { #""\#($0 % 2)":"\#($0)""# }.joined(separator: ",") + "}")
        #expect(
            canonical(repeated).withUnsafeBytes { StructuredRecord(parsing: $0) }?.fields.map(\.values.count) == [
                50_000, 50_000,
            ]
        )
        #expect(processorTime { repeated.set(Array("0".utf8), "x".utf8) } < 20)
        #expect(repeated.fields.count == 50_001)
        #expect(processorTime { repeated.remove(Array("1".utf8)) } < 20)
        #expect(repeated.fields.count == 1)
    }

    @Test("100,000 faults after as many fields")
    func manyFaults() {
        let text = Array(
            (String(repeating: "a=1 ", count: 100_000) + String(repeating: "\"x\" b=2 ", count: 100_000)).utf8
        )
        var record = RecordBuffer()
        let base = record.store(text).lowerBound
        let time = processorTime { _ = text.withUnsafeBytes { LogfmtParser.parse($0, at: base, into: &record) } }
        #expect(time < 20)
        #expect(record.fields.count == 300_001)
    }

    @Test("an element of a syslog message with a long name is text: each parameter would repeat the name")
    func syslogElement() {
        func data(_ count: Int) -> [SyslogMessage.Element] {
            let text = "<13>1 - h a - - [\(String(repeating: "e", count: count)) a=\"1\" b=\"2\"] text"
            return Array(text.utf8).withUnsafeBytes {
                SyslogMessage(line: $0, now: Timestamp(microseconds: 0), zone: .system)?.data ?? []
            }
        }
        #expect(data(32).count == 2)
        #expect(data(1000).isEmpty)
    }

    // MARK: - Values that others are read as

    private func values(_ line: String, of name: String) -> [String] {
        let record = canonical(parse(line, flattens: false)).withUnsafeBytes { StructuredRecord(parsing: $0) }
        return record?.values(of: Array(name.utf8)).map { String(decoding: $0, as: UTF8.self) } ?? []
    }

    @Test(
        "arrays of numbers are read back as their text, and not as bytes",
        arguments: ["[22,80]", "[ 22, 80 ]", "[1]", "[[1,2],[3]]", #"["a",[1]]"#, "[22,443]", "[1.5]"]
    )
    func numbers(array: String) {
        #expect(
            values(#"{"msg":"x","ports":\#(array)}"#, of: "ports").map { $0.filter { $0 != " " } } == [
                array.filter { $0 != " " }
            ]
        )
    }

    @Test("several values of one name are several values, of whatever form")
    func severalValues() {
        #expect(values(#"{"try":1,"try":2}"#, of: "try") == ["1", "2"])
        #expect(values(#"{"try":1,"try":"two","try":{"a":[3]}}"#, of: "try") == ["1", "two", #"{"a":[3]}"#])
        #expect(values(#"{"list":["a","b"]}"#, of: "list") == ["a", "b"])
    }

    @Test("a field cannot be taken for the record's own time")
    func ownTime() {
        var record = parse(#"{"GUESTLOG_TIME":"2031-01-01T00:00:00Z","a":1}"#)
        record.time = 0
        #expect(
            String(decoding: canonical(record), as: UTF8.self)
                == #"{"GUESTLOG_TIME":"1970-01-01T00:00:00.000000000Z","a":1}"#
        )
    }
}
