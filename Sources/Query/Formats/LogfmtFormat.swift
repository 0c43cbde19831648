// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// `key=value` pairs, always in this order: `time`, `vm`, `stream`, `offset`, `level` if the line has one, `msg`,
/// `bytes_b64`, `overwritten`, `partial` as in JSON; then a record's other fields. Values are quoted where necessary, with JSON's escapes.
struct LogfmtFormat: EntryWriter {
    private var clock = StampWriter(.utc)

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        appendHead(line.time, label, line.start.description, to: &out)
        let decoded = DecodedLine(line)
        if let severity = decoded.severity {
            out.append(contentsOf: " level=".utf8)
            out.append(contentsOf: severity.name.utf8)
        }
        out.append(contentsOf: " msg=".utf8)
        let isText = !decoded.withText { LogfmtText.append($0, to: &out) }
        if !isText || !decoded.isPlain {
            out.append(contentsOf: " bytes_b64=".utf8)
            decoded.withStoredText { Base64.append($0, to: &out) }
        }
        if decoded.overwritten > 0 {
            out.append(contentsOf: " overwritten=\(decoded.overwritten)".utf8)
        }
        if !line.isWhole, !line.endsRow {
            out.append(contentsOf: " partial=true".utf8)
        }
        if let record = decoded.record, record.message != nil {
            append(record, to: &out)
        }
        out.append(Lines.feed)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        appendHead(event.time, label, event.position.description, to: &out)
        switch event.kind {
        case .gap(let gap):
            out.append(contentsOf: " event=gap reason=\"\(gap.reason)\"".utf8)
            out.append(contentsOf: (gap.bytes.map { " bytes=\($0) lines=\(gap.lines)" } ?? "").utf8)
        case .missing(let bytes, let reason):
            out.append(contentsOf: " event=gap reason=\"\(reason)\" bytes=\(bytes)".utf8)
        case .boot(let detail):
            out.append(contentsOf: (detail.event.isBeginning ? " event=boot" : " event=boot-end").utf8)
            out.append(contentsOf: " kind=\(detail.event.name)".utf8)
            out.append(contentsOf: (boot.map { " boot=\($0)" } ?? "").utf8)
        case .origin(let origin):
            out.append(contentsOf: " event=origin origin=".utf8)
            origin.withUTF8Bytes { _ = LogfmtText.append($0, to: &out) }
        }
        out.append(Lines.feed)
    }

    private func append(_ record: StructuredRecord, to out: inout [UInt8]) {
        for field in record.otherFields {
            for value in field.values {
                out.append(UInt8(ascii: " "))
                LogfmtText.append(key: field.name, to: &out)
                out.append(UInt8(ascii: "="))
                value.withUnsafeBytes { _ = LogfmtText.append($0, to: &out) }
            }
        }
    }

    private mutating func appendHead(_ time: Timestamp, _ label: StreamLabel, _ position: String, to out: inout [UInt8])
    {
        out.append(contentsOf: "time=".utf8)
        clock.append(time, to: &out)
        out.append(UInt8(ascii: " "))
        out.append(contentsOf: label.logfmt)
        out.append(contentsOf: " offset=".utf8)
        out.append(contentsOf: position.utf8)
    }
}
