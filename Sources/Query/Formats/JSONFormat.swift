// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// One JSON object per line, members always in this order: `time`, `vm`, `stream`, `offset`; then for a line `severity`
/// if it has one, `text` as displayed, `bytes_b64` with the stored bytes when they are not that, `overwritten` when visible
/// characters were painted over, `partial` when its end is missing, `recovered`, and `fields` with a record's fields as they
/// are stored; for an event `event` and its details.
struct JSONFormat: EntryWriter {
    private var clock = StampWriter(.utc)

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        appendHead(line.time, line.start, label, to: &out)
        let decoded = DecodedLine(line)
        if let severity = decoded.severity {
            out.append(contentsOf: #","severity":""#.utf8)
            out.append(contentsOf: severity.name.utf8)
            out.append(UInt8(ascii: "\""))
        }
        out.append(contentsOf: Self.text)
        let isText = !decoded.withText { JSONText.append($0, to: &out) }
        if !isText || !decoded.isPlain {
            out.append(contentsOf: #","bytes_b64":""#.utf8)
            decoded.withStoredText { Base64.append($0, to: &out) }
            out.append(UInt8(ascii: "\""))
        }
        if decoded.overwritten > 0 {
            out.append(contentsOf: #","overwritten":\#(decoded.overwritten)"#.utf8)
        }
        if !line.isWhole, !line.endsRow {
            out.append(contentsOf: #","partial":true"#.utf8)
        }
        if line.isRecovered {
            out.append(contentsOf: #","recovered":true"#.utf8)
        }
        if decoded.record != nil {
            out.append(contentsOf: #","fields":"#.utf8)
            decoded.withStoredRecord { JSONText.append(json: $0, to: &out) }
        }
        out.append(contentsOf: Self.end)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        appendHead(event.time, event.position, label, to: &out)
        switch event.kind {
        case .gap(let gap):
            out.append(contentsOf: #","event":"gap""#.utf8)
            appendLoss(gap.bytes, gap.lines, to: &out)
            out.append(contentsOf: #","since":""#.utf8)
            out.append(contentsOf: gap.since.description.utf8)
            out.append(contentsOf: #"","closed":\#(gap.isClosed)"#.utf8)
            appendReason(gap.reason, to: &out)
        case .missing(let bytes, let reason):
            out.append(contentsOf: #","event":"gap""#.utf8)
            appendLoss(bytes, nil, to: &out)
            appendReason(reason, to: &out)
        case .boot(let detail):
            out.append(contentsOf: #","event":"\#(detail.event.isBeginning ? "boot" : "boot-end")""#.utf8)
            if let boot {
                out.append(contentsOf: #","boot":\#(boot)"#.utf8)
            }
            out.append(contentsOf: #","kind":"\#(detail.event.name)""#.utf8)
        case .origin(let origin):
            out.append(contentsOf: #","event":"origin","origin":"#.utf8)
            JSON.append(origin, to: &out)
        }
        out.append(contentsOf: Self.end)
    }

    private mutating func appendHead(_ time: Timestamp, _ position: Cursor, _ label: StreamLabel, to out: inout [UInt8])
    {
        out.append(contentsOf: Self.time)
        clock.append(time, to: &out)
        out.append(contentsOf: Self.afterTime)
        out.append(contentsOf: label.json)
        out.append(contentsOf: #","offset":""#.utf8)
        out.append(contentsOf: position.description.utf8)
        out.append(UInt8(ascii: "\""))
    }

    private func appendLoss(_ bytes: UInt64?, _ lines: UInt64?, to out: inout [UInt8]) {
        out.append(contentsOf: #","bytes":\#(bytes.map { String($0) } ?? "null")"#.utf8)
        if let lines {
            out.append(contentsOf: #","lines":\#(lines)"#.utf8)
        }
    }

    private func appendReason(_ reason: GapReason, to out: inout [UInt8]) {
        out.append(contentsOf: #","reason":"\#(reason)""#.utf8)
    }

    private static let time = Array(#"{"time":""#.utf8)
    private static let afterTime = Array(#"","#.utf8)
    private static let text = Array(#","text":"#.utf8)
    private static let end = Array("}\n".utf8)
}
