// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The formats in which `guestlog kata-log` writes records.
public enum KataLogFormat: String, CaseIterable, Sendable {
    /// A line for people.
    case text
    /// An object a line: the record's fields, and `GUESTLOG_FILE`, `GUESTLOG_LINE` and `GUESTLOG_DELTA`, the
    /// nanoseconds since the record before it.
    case ndjson
    /// The same objects as one array.
    case json
    /// RFC 4180, with a head; the other fields are the last column, as an object.
    case csv
    /// `key=value` pairs.
    case logfmt

    /// What is written before the first record.
    public var head: String {
        switch self {
        case .json: "["
        case .csv: "count,time_delta,time,file,line,level,source,name,pid,sandbox,container,msg,data\n"
        case .text, .ndjson, .logfmt: ""
        }
    }

    /// What is written after the last record.
    public var tail: String { self == .json ? "\n]\n" : "" }

    /// Appends the part of a record that does not depend on its place among others.
    func appendBody(_ record: RecordBuffer, file: [UInt8], line: Int, to out: inout [UInt8]) {
        switch self {
        case .ndjson, .json:
            record.appendJSON(to: &out)
            out.removeLast()
            if out.last != UInt8(ascii: "{") {
                out.append(UInt8(ascii: ","))
            }
            out.append(contentsOf: #""GUESTLOG_FILE":"#.utf8)
            file.withUnsafeBytes { _ = JSONText.append($0, to: &out) }
            out.append(contentsOf: #","GUESTLOG_LINE":"#.utf8)
            append(line, to: &out)
        case .csv: appendCSV(record, file: file, line: line, to: &out)
        case .logfmt: appendLogfmt(record, to: &out)
        case .text: appendText(record, to: &out)
        }
    }

    /// Appends record number `count`, from 1, whose body is `body`, and which is `delta` nanoseconds later than the one
    /// before it.
    func append(_ body: UnsafeRawBufferPointer, count: Int, delta: Int64, to out: inout [UInt8]) {
        switch self {
        case .ndjson, .json:
            if self == .json {
                out.append(contentsOf: (count == 1 ? "\n" : ",\n").utf8)
            }
            out.append(contentsOf: body)
            out.append(contentsOf: #","GUESTLOG_DELTA":"#.utf8)
            append(Int(delta), to: &out)
            out.append(contentsOf: (self == .json ? "}" : "}\n").utf8)
        case .csv:
            append(count, to: &out)
            out.append(UInt8(ascii: ","))
            append(Int(delta), to: &out)
            out.append(UInt8(ascii: ","))
            out.append(contentsOf: body)
            out.append(Lines.feed)
        case .text, .logfmt:
            out.append(contentsOf: body)
            out.append(Lines.feed)
        }
    }

    private func append(_ number: Int, to out: inout [UInt8]) {
        var digits: [UInt8] = []
        var rest = number.magnitude
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        if number < 0 {
            out.append(UInt8(ascii: "-"))
        }
        out.append(contentsOf: digits.reversed())
    }

    // MARK: - Forms

    private static let columns = [
        KataFields.level, KataFields.source, KataFields.name, KataFields.process, KataFields.sandbox,
        KataFields.container, KataFields.message,
    ]

    private func appendCSV(_ record: RecordBuffer, file: [UInt8], line: Int, to out: inout [UInt8]) {
        func append(_ value: some Collection<UInt8>) {
            let isQuoted = value.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 < 0x20 }
            guard isQuoted else {
                out.append(contentsOf: value)
                return
            }
            out.append(UInt8(ascii: "\""))
            for byte in value {
                if byte == UInt8(ascii: "\"") {
                    out.append(byte)
                }
                out.append(byte)
            }
            out.append(UInt8(ascii: "\""))
        }
        if let time = record.time {
            append(Timestamp.rfc3339(nanoseconds: time).utf8)
        }
        out.append(UInt8(ascii: ","))
        append(file)
        out.append(UInt8(ascii: ","))
        self.append(line, to: &out)
        for column in Self.columns {
            out.append(UInt8(ascii: ","))
            append(record.value(of: column) ?? [])
        }
        var rest = record
        rest.time = nil
        rest.fields.removeAll { [rest] field in Self.columns.contains { rest.matches(field.name, $0) } }
        var object: [UInt8] = []
        rest.appendJSON(to: &object)
        out.append(UInt8(ascii: ","))
        append(object)
    }

    private func appendLogfmt(_ record: RecordBuffer, to out: inout [UInt8]) {
        if let time = record.time {
            out.append(contentsOf: "time=\(Timestamp.rfc3339(nanoseconds: time))".utf8)
        }
        for field in record.fields {
            appendPair(record, field, isFirst: record.time == nil && field.name == record.fields[0].name, to: &out)
        }
    }

    private func appendPair(
        _ record: RecordBuffer,
        _ field: RecordBuffer.Field,
        isFirst: Bool,
        to out: inout [UInt8]
    ) {
        if !isFirst {
            out.append(UInt8(ascii: " "))
        }
        LogfmtText.append(key: record[field.name], to: &out)
        out.append(UInt8(ascii: "="))
        record[field.value].withUnsafeBytes { _ = LogfmtText.append($0, to: &out) }
    }

    private func appendText(_ record: RecordBuffer, to out: inout [UInt8]) {
        out.append(contentsOf: (record.time.map { Timestamp.rfc3339(nanoseconds: $0) } ?? "-").utf8)
        let level = record.value(of: KataFields.level) ?? []
        out.append(UInt8(ascii: " "))
        out += TerminalEscaper.escape(level, style: .field)
        let name = record.value(of: KataFields.name) ?? record.value(of: KataFields.source) ?? []
        out.append(UInt8(ascii: " "))
        out += TerminalEscaper.escape(name, style: .field)
        if let process = record.value(of: KataFields.process) {
            out.append(UInt8(ascii: "["))
            out += TerminalEscaper.escape(process, style: .field)
            out.append(UInt8(ascii: "]"))
        }
        out.append(contentsOf: ": ".utf8)
        out += TerminalEscaper.escape(record.value(of: KataFields.message) ?? [], style: .line(color: false))
        let shown = [KataFields.level, KataFields.name, KataFields.process, KataFields.message]
        for field in record.fields where !shown.contains(where: { record.matches(field.name, $0) }) {
            appendPair(record, field, isFirst: false, to: &out)
        }
    }
}
