// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestTraits
import Testing
import TextFormats

@testable import Query

/// Queries over a stream of records beside a console.
@Suite("Records", .blocking)
struct RecordQueryTests {
    private let sample: SampleStore
    private let start: Int64 = 1_763_658_005_000_000

    /// Ten records of one second each, written as two batches that were received a minute later, and a console.
    init() throws {
        sample = try SampleStore()
        try sample.add("web")
        let writer = try sample.vms[0].open(
            StreamName("journal")!,
            properties: StreamProperties(encoding: .json, clock: .own, isReplayable: true),
            now: sample.now
        )
        for batch in [0..<5, 5..<10] {
            var text: [UInt8] = []
            for number in batch {
                text += record(number).encoded(nanoseconds: (start + Int64(number) * 1_000_000) * 1000) + [Lines.feed]
            }
            let own = time(batch.lowerBound)...time(batch.upperBound - 1)
            try text.withUnsafeBytes {
                let detail = RecordDetail(source: [UInt8(batch.upperBound)], ownTime: own)
                try writer.append($0, time: time(70 + batch.lowerBound), detail: detail, isWhole: true)
            }
        }
        sample.now = time(3).advanced(byMicroseconds: 500_000)
        try sample.append("console line with SEQ=4\n")
        sample.now = time(100)
    }

    private func time(_ second: Int) -> Timestamp { Timestamp(microseconds: start + Int64(second) * 1_000_000) }

    private func record(_ number: Int) -> StructuredRecord {
        StructuredRecord([
            .init("MESSAGE", "said \"\(number)\" of ten"), .init("SEQ", String(number)),
            .init("PRIORITY", number % 5 == 0 ? "3" : "6"),
            .init("SYSLOG_IDENTIFIER", number % 2 == 0 ? "even" : "odd"),
        ])
    }

    private func answer(
        _ format: OutputFormat = .text,
        fields: [String] = [],
        _ change: (inout Selection) -> Void = { _ in }
    ) throws -> String {
        var rendering = Rendering(format: format)
        rendering.prefix = false
        rendering.utc = true
        let query = try sample.query(rendering) {
            $0.fields = try FieldMatches(fields)
            change(&$0)
        }
        return try query.text()
    }

    @Test("a pattern finds what is shown of a record: of one without a message its fields, also what is not UTF-8")
    func patternsInFields() throws {
        let sample = try SampleStore()
        try sample.add("web")
        let properties = StreamProperties(encoding: .json, clock: .own, isReplayable: true)
        let writer = try sample.vms[0].open(StreamName("journal")!, properties: properties, now: sample.now)
        let latin1 = Array("Benutzer M\u{fc}ller angemeldet".unicodeScalars).map { UInt8($0.value) }
        let records = [
            StructuredRecord([.init("event", "login"), .init("user", "bob")]),
            StructuredRecord([.init(Array("MESSAGE".utf8), [latin1])]),
            StructuredRecord([.init("MESSAGE", "/dev/sda is full")]),
        ]
        for (number, record) in records.enumerated() {
            let time = Timestamp(microseconds: start + Int64(number))
            let text = record.encoded(nanoseconds: time.microseconds * 1000) + [Lines.feed]
            let detail = RecordDetail(source: [UInt8(number)], ownTime: time...time)
            try text.withUnsafeBytes { try writer.append($0, time: time, detail: detail, isWhole: true) }
        }
        for (pattern, count) in [
            ("event=login", 1), ("login user", 1), ("angemeldet", 1), ("Benutzer", 1), ("/dev/sda is", 1),
            ("absent", 0),
            ("=", 1), (" ", 3),
        ] {
            for ignoresCase in [false, true] {
                let query = try sample.query(Rendering(format: .text)) {
                    $0.pattern = try Pattern(pattern, ignoreCase: ignoresCase)
                }
                let shown = try query.text().split(separator: "\n")
                #expect(shown.count == count, "\(pattern): \(shown)")
            }
        }
    }

    @Test("FIELD=VALUE: of one field any of the values, of several fields all; a console has no fields")
    func fields() throws {
        #expect(try answer(fields: ["SEQ=4"]) == "even: said \"4\" of ten\n")
        #expect(try answer(fields: ["SEQ=4", "SEQ=7"]) == "even: said \"4\" of ten\nodd: said \"7\" of ten\n")
        #expect(try answer(fields: ["SEQ=4", "SEQ=7", "SYSLOG_IDENTIFIER=odd"]) == "odd: said \"7\" of ten\n")
        #expect(try answer(fields: ["SEQ=4", "SYSLOG_IDENTIFIER=odd"]) == "")
        #expect(try answer(fields: ["OTHER=4"]) == "")
        #expect(throws: WordError.self) { try FieldMatches(["=4"]) }
        #expect(!FieldMatches.isMatch("web") && !FieldMatches.isMatch("a b=c") && FieldMatches.isMatch("a.b-c_D="))
    }

    @Test("a record's own time orders, selects and shows it, not its batch's")
    func ownTime() throws {
        let merged = try answer().split(separator: "\n").map(String.init)
        #expect(merged.firstIndex(of: "console line with SEQ=4") == 4)
        let late = try answer {
            $0.since = time(7)
            $0.until = time(8)
            $0.streams = [StreamName("journal")!]
        }
        #expect(late == "odd: said \"7\" of ten\neven: said \"8\" of ten\n")
        #expect(try answer(.json, fields: ["SEQ=9"]).hasPrefix(#"{"time":"2025-11-20T17:00:14.000000Z""#))
    }

    @Test("severity and pattern are those of the record, not of its JSON text")
    func meaning() throws {
        let serious = try answer { $0.severities = .emergency ... .error }
        #expect(serious == "even: said \"0\" of ten\nodd: said \"5\" of ten\n")
        #expect(
            try answer { $0.pattern = try! Pattern(#"said "4""#, ignoreCase: false) } == "even: said \"4\" of ten\n"
        )
        #expect(try answer { $0.pattern = try! Pattern("PRIORITY", ignoreCase: false) } == "")
        #expect(try answer { $0.tail = 1 } == "odd: said \"9\" of ten\n")
    }

    @Test("each format shows the fields as fields")
    func formats() throws {
        let json = try answer(.json, fields: ["SEQ=4"])
        #expect(json.contains(#""severity":"info","text":"said \"4\" of ten","fields":{"GUESTLOG_TIME":"#))
        #expect(json.contains(#""SEQ":"4""#) && json.hasSuffix("}}\n"))
        let logfmt = try answer(.logfmt, fields: ["SEQ=4"])
        #expect(logfmt.hasSuffix(#"level=info msg="said \"4\" of ten" SEQ=4 SYSLOG_IDENTIFIER=even"# + "\n"))
        let export = try answer(.export, fields: ["SEQ=4"])
        #expect(export.contains("\nPRIORITY=6\n") && export.contains("\nMESSAGE=said \"4\" of ten\n"))
        #expect(export.contains("\nSEQ=4\n"))
        #expect(try answer(.raw, fields: ["SEQ=4"]).hasPrefix("{\"GUESTLOG_TIME\":"))
    }

    @Test("-o json prints a record's values as they are stored: numbers, booleans and objects too")
    func storedValues() throws {
        let stored = #"{"msg":"x","count":12.50,"ok":true,"in":{"a":[1, 2]},"title":"a\u001b[2J","tag":"b\u009b"}"#
        let writer = try sample.vms[0].open(
            StreamName("journal")!,
            properties: StreamProperties(encoding: .json, clock: .own, isReplayable: true),
            now: sample.now
        )
        try Array((stored + "\n").utf8).withUnsafeBytes { try writer.append($0, time: time(300)) }
        let json = try answer(.json) { $0.since = time(299) }
        let fields = #"{"msg":"x","count":12.50,"ok":true,"in":{"a":[1,2]},"title":"a\u001b[2J","tag":"b\u009b"}"#
        #expect(json.hasSuffix(#""fields":"# + fields + "}\n"))
    }

    @Test("a program is in the place of the stream in short, and alone in export")
    func program() throws {
        let short = try answer(.short, fields: ["SEQ=4"])
        #expect(short.hasSuffix(" web even: said \"4\" of ten\n") && !short.contains("journal"))
        let export = try answer(.export, fields: ["SEQ=4"])
        #expect(
            export.split(separator: "\n").filter { $0.hasPrefix("SYSLOG_IDENTIFIER") } == ["SYSLOG_IDENTIFIER=even"]
        )
    }

    @Test("a record's text can neither end a line nor forge a marker, nor reach a terminal")
    func hostile() throws {
        let hostile = StructuredRecord([
            .init("MESSAGE", "first\n-- boot 99: power-on --\u{1b}[2J"), .init("SYSLOG_IDENTIFIER", "-- boot 98\n"),
            .init("a b\n=", "x\ny"), .init("priority", "0"),
        ])
        let writer = try sample.vms[0].open(
            StreamName("journal")!,
            properties: StreamProperties(encoding: .json, clock: .own, isReplayable: true),
            now: sample.now
        )
        try (hostile.encoded() + [Lines.feed]).withUnsafeBytes { try writer.append($0, time: time(200)) }
        for format in [OutputFormat.text, .short, .json, .logfmt] {
            let text = try answer(format) {
                $0.since = time(199)
                $0.boot = nil
            }
            #expect(text.split(separator: "\n").count == 1, "\(text)")
            #expect(!text.hasPrefix("-- ") && !text.contains("\u{1b}"))
        }
        let export = try answer(.export) { $0.since = time(199) }
        #expect(export.split(separator: "\n").filter { $0.hasPrefix("PRIORITY") }.isEmpty)
    }
}
