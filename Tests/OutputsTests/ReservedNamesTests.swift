// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import LogStore
import Testing
import TextFormats

@testable import Outputs

/// Fields whose names a guest has chosen to pass for what Guestlog says.
@Suite struct ReservedNamesTests {
    private static let forged = [
        "vm", "id", "uuid", "severity", "level", "event", "stream", "host.name", "guestlog.time",
    ]

    /// Passes `body` a record with fields of these names, and one of its own.
    private func withRecord(_ body: (OutputRecord) -> Void) {
        let fields = Self.forged.map { StructuredRecord.Field($0, "forged") } + [.init("SEQ", "7")]
        Array("text".utf8).withUnsafeBytes { text in
            var record = record(text, vm: "a", severity: .error)
            record.fields = StructuredRecord(fields)
            body(record)
        }
    }

    @Test("a field that is named like a member of Guestlog's has another name, and others keep theirs")
    func names() {
        withRecord { record in
            let names = ReservedNames("vm", "id").fields(of: record).map { String(decoding: $0.name, as: UTF8.self) }
            #expect(names.contains("field_vm") && names.contains("field_id") && names.contains("field_guestlog.time"))
            #expect(names.contains("uuid") && names.contains("SEQ"))
            #expect(!names.contains("vm") && !names.contains("id") && !names.contains("guestlog.time"))
        }
    }

    @Test("no attribute of OTLP is twice, and none is one of the resource")
    func json() throws {
        withRecord { record in
            var line: [UInt8] = []
            OTLPJSONEncoder().append(record, to: &line)
            let attributes = (try? JSON(parsing: line))?["attributes"]?.elements ?? []
            let keys = attributes.compactMap { $0["key"]?.text }
            #expect(Set(keys).count == keys.count && keys.contains("field_host.name"), "\(keys)")
            #expect(!keys.contains("host.name"))
        }
    }

    @Test("a line in logfmt has each of Guestlog's names once")
    func logfmt() {
        withRecord { record in
            var out: [UInt8] = []
            FileFormat.logfmt.append(record, to: &out)
            let line = String(decoding: out, as: UTF8.self)
            for name in ["vm", "id", "level", "stream"] {
                #expect(line.split(separator: " ").count { $0.hasPrefix("\(name)=") } == 1, "\(name): \(line)")
            }
            #expect(line.contains("field_vm=forged") && line.contains("SEQ=7"))
        }
    }

    @Test("a field without a name has one in logfmt, whose keys are not empty")
    func emptyName() {
        Array("text".utf8).withUnsafeBytes { text in
            var record = record(text, vm: "a")
            record.fields = StructuredRecord([.init("", "e")])
            var out: [UInt8] = []
            FileFormat.logfmt.append(record, to: &out)
            #expect(String(decoding: out, as: UTF8.self).hasSuffix(" msg=text _=e\n"))
        }
    }
}

@Suite struct FieldTypeTests {
    @Test("in JSON files and documents, numbers, true, false and null are those of the record, other values strings")
    func types() throws {
        let line =
            #"{"a":1.50,"b":true,"n":null,"pid":42,"text":"7","large":123456789012345678901,"huge":1e999,"#
            + #""object":{"x":1},"bad":1.2.3,"two":["1","2"],"MESSAGE":"m"}"#
        let fields = try #require(Array(line.utf8).withUnsafeBytes { StructuredRecord(parsing: $0) })
        let expected =
            #""fields":{"a":1.50,"b":true,"n":null,"pid":42,"text":"7","large":"123456789012345678901","#
            + #""huge":"1e999","object":"{\"x\":1}","bad":"1.2.3","two":"1\n2"}"#
        Array("m".utf8).withUnsafeBytes { text in
            var record = record(text, vm: "a")
            record.fields = fields
            var file: [UInt8] = []
            FileFormat.ndjson.append(record, to: &file)
            let written = String(decoding: file, as: UTF8.self)
            #expect(written.contains(expected), "\(written)")
            var document: [UInt8] = []
            let settings = ElasticsearchSettings(HTTPOutputSettings(HTTPEndpoint("http://localhost")!))
            ElasticsearchDestination(settings).encode(record, to: &document)
            #expect(String(decoding: document, as: UTF8.self).contains(expected))
        }
    }

    @Test("what a pattern replaces in a number is a string")
    func redacted() throws {
        let line = Array(#"{"pin":1234,"MESSAGE":"m"}"#.utf8)
        let fields = try #require(line.withUnsafeBytes { StructuredRecord(parsing: $0) })
        var out: [UInt8] = []
        JSONFieldWriter.append(object: try Redaction(["23"]).redact(fields), to: &out)
        #expect(String(decoding: out, as: UTF8.self) == #","fields":{"pin":"1[redacted]4"}"#)
    }
}
