// SPDX-License-Identifier: Apache-2.0

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
}
