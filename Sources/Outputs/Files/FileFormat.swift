// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The formats of lines in files.
public enum FileFormat: String, CaseIterable, Sendable {
    /// The Kubernetes container runtimes' format, `TIME stdout F TEXT`.
    case cri
    /// A JSON object per line.
    case ndjson
    /// `key=value` pairs.
    case logfmt

    /// Appends a record as one line.
    func append(_ record: OutputRecord, to out: inout [UInt8]) {
        switch self {
        case .cri: Self.appendCRI(record, to: &out)
        case .ndjson: Self.appendJSON(record, to: &out)
        case .logfmt: Self.appendLogfmt(record, to: &out)
        }
        out.append(Lines.feed)
    }

    private static func appendCRI(_ record: OutputRecord, to out: inout [UInt8]) {
        out.append(contentsOf: Timestamp.rfc3339(nanoseconds: record.time).utf8)
        let kind = record.event != nil ? " stderr F " : record.isPartial ? Self.criPart : Self.criEnd
        out.append(contentsOf: kind.utf8)
        // A record's message may have several lines; a line of the format is one.
        var start = 0
        while let feed = Lines.firstFeed(in: record.text, from: start) {
            UTF8Text.append(UnsafeRawBufferPointer(rebasing: record.text[start..<feed]), to: &out)
            out.append(contentsOf: "\\n".utf8)
            start = feed + 1
        }
        UTF8Text.append(UnsafeRawBufferPointer(rebasing: record.text[start...]), to: &out)
    }

    private static let criPart = " stdout P "
    private static let criEnd = " stdout F "

    /// Appends what ends a line that a part was written of: readers join the next one to it otherwise.
    func appendEnd(ofPartBefore time: Int64, to out: inout [UInt8]) {
        guard self == .cri else {
            return
        }
        out.append(contentsOf: Timestamp.rfc3339(nanoseconds: time).utf8)
        out.append(contentsOf: (Self.criEnd + "\n").utf8)
    }

    /// Whether the last line of `text`, the end of a file, is a part.
    func endsWithPart(_ text: [UInt8]) -> Bool {
        guard self == .cri, text.last == Lines.feed else {
            return false
        }
        let start = text.dropLast().lastIndex(of: Lines.feed).map { $0 + 1 } ?? 0
        let words = text[start...].split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        return words.count == 4 && words[2].elementsEqual("P".utf8)
    }

    private static func appendJSON(_ record: OutputRecord, to out: inout [UInt8]) {
        out.append(contentsOf: #"{"time":""#.utf8)
        out.append(contentsOf: Timestamp.rfc3339(nanoseconds: record.time).utf8)
        out.append(UInt8(ascii: "\""))
        JSONFieldWriter.append("vm", record.origin.vm.name, to: &out)
        if let namespace = record.origin.vm.namespace {
            JSONFieldWriter.append("namespace", namespace, to: &out)
        }
        JSONFieldWriter.append("stream", record.origin.stream.stream.text, to: &out)
        JSONFieldWriter.append("id", record.id, to: &out)
        if record.severity != nil || record.event != nil {
            JSONFieldWriter.append("severity", record.effectiveSeverity.name, to: &out)
        }
        if let event = record.event {
            JSONFieldWriter.append("event", event.name, to: &out)
        }
        JSONFieldWriter.append("text", record.text, to: &out)
        if record.isPartial {
            out.append(contentsOf: #","partial":true"#.utf8)
        }
        if let fields = record.fields {
            JSONFieldWriter.append(object: fields, to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }

    private static func appendLogfmt(_ record: OutputRecord, to out: inout [UInt8]) {
        out.append(contentsOf: "time=".utf8)
        out.append(contentsOf: Timestamp.rfc3339(nanoseconds: record.time).utf8)
        append("vm", record.origin.vm.nameWithNamespace, to: &out)
        append("stream", record.origin.stream.stream.text, to: &out)
        append("id", record.id, to: &out)
        if record.severity != nil || record.event != nil {
            append("level", record.effectiveSeverity.name, to: &out)
        }
        if let event = record.event {
            append("event", event.name, to: &out)
        }
        out.append(contentsOf: " msg=".utf8)
        LogfmtText.append(record.text, to: &out)
        for field in reserved.fields(of: record) {
            for value in field.values {
                out.append(UInt8(ascii: " "))
                LogfmtText.append(key: field.name, to: &out)
                out.append(UInt8(ascii: "="))
                value.withUnsafeBytes { _ = LogfmtText.append($0, to: &out) }
            }
        }
    }

    private static let reserved = ReservedNames("time", "vm", "stream", "id", "level", "event", "msg")

    private static func append(_ key: String, _ value: String, to out: inout [UInt8]) {
        out.append(contentsOf: " \(key)=".utf8)
        Array(value.utf8).withUnsafeBytes { _ = LogfmtText.append($0, to: &out) }
    }
}
