// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The formats of records in text.
public enum RecordFormat: String, CaseIterable, Sendable {
    /// `key=value` pairs.
    case logfmt
    /// One object in JSON.
    case json
    /// What Kata Containers writes.
    case kata
    /// A container's line in the Kubernetes format: time, stream, tag, text.
    case cri
    /// A container's line of docker's `json-file` driver.
    case docker
    /// An entry of docker's `local` driver.
    case dockerLocal = "docker-local"
    /// An entry in the framing of vSphere Integrated Containers.
    case iolog
    /// A syslog message: as RFC 3164 and RFC 5424 have it, or a line of a file that a syslog daemon writes.
    case syslog
    /// Text: the field `message`.
    case text = "none"

    /// The field with a line of text.
    static let textName = Array("message".utf8)

    /// Whether each record is a text of its own, so that a field can contain one.
    public var hasLines: Bool { framing == nil }

    /// How a log's entries are parted, where they are not lines.
    var framing: FramedRecords.Framing? {
        switch self {
        case .dockerLocal: .dockerLocal
        case .iolog: .iolog
        case .logfmt, .json, .kata, .cri, .docker, .syslog, .text: nil
        }
    }

    /// Parses the first record in `text` from `start` on into fields of `record`, whose buffer contains `text` at
    /// `base`; returns the offset after it. What cannot be parsed is kept and marked (`ParseFault`). What `isClaimed`
    /// may be a guest's, and names neither its VM nor its time. The text was read at `now`, which completes a time
    /// without a year.
    func parse(
        _ text: UnsafeRawBufferPointer,
        from start: Int = 0,
        at base: Int,
        readAt now: Timestamp,
        into record: inout RecordBuffer,
        flattens: Bool = false,
        isClaimed: Bool = false
    ) -> Int {
        switch self {
        case .logfmt:
            return LogfmtParser.parse(text, from: start, at: base, into: &record)
        case .json:
            let separator = flattens ? UInt8(ascii: ".") : nil
            let first = record.fields.count
            if let end = JSONFieldParser.parse(text, from: start, at: base, into: &record, flattenedWith: separator) {
                if let rest = text.indices.suffix(from: end).first(where: { text[$0] > 0x20 }) {
                    record.mark(.malformedJSON, unparsed: text[rest...])
                }
                if record.isJournalEntry(from: first) {
                    record.takeJournalBytes()
                    record.takeJournalTime()
                }
                return text.count
            }
        case .kata:
            return KataParser.parse(text, from: start, at: base, readAt: now, into: &record, isClaimed: isClaimed)
        case .cri:
            if let line = CRILine(text, from: start) {
                line.append(to: &record, at: base)
                return text.count
            }
        case .docker:
            if let end = JSONFieldParser.parse(text, from: start, at: base, into: &record) {
                return end
            }
        case .syslog:
            return SyslogFields.parse(text, from: start, at: base, readAt: now, into: &record)
        case .dockerLocal, .iolog:
            // Entries are not lines: they are cut before they are parsed.
            break
        case .text:
            let name = record.store(Self.textName)
            record.fields.append(RecordBuffer.Field(name: name, value: base + start..<base + text.count, form: .text))
            return text.count
        }
        record.mark(.otherForm, unparsed: text[start...])
        return text.count
    }
}
