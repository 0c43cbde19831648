// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Parses what Kata Containers writes, whichever part of it wrote it, into the same fields: `level`, `msg`, `name`,
/// `pid`, `source`, `subsystem`, `sandbox`, `container` and others.
///
/// - The Go runtime: logfmt by logrus, or one object in JSON.
/// - The agent: an object in JSON by slog, alone, quoted up to three times, or in the field `vmconsole` of a runtime
///   record with what a guest printed.
/// - Old agents: a logfmt record in the field `msg`.
/// - Text without a form, which is the `msg`.
/// - One of these in a line of journalctl(1) or of a syslog daemon, whose time, host and program come before it, or in an
///   entry of the journal as an object in JSON.
///
/// The fields of an agent's record inside a runtime's take the place of that one's, whose time and sandbox stay; the
/// agent's own are `agent_time` and `agent_sandbox`.
///
/// Levels are lower-case words, `trace` to `fatal`, and process numbers are numbers. What cannot be parsed is kept and
/// marked (`ParseFault`).
struct KataParser {
    /// The number of quotes around an object that are removed.
    static let quoteLimit = 3

    /// Parses the first record in `text` from `start` on into fields of `record`, whose buffer contains `text` at
    /// `base`. Returns the offset after it, where another may begin. What `isClaimed` is taken for a guest's. The text was
    /// read at `now`.
    static func parse(
        _ text: UnsafeRawBufferPointer,
        from start: Int = 0,
        at base: Int,
        readAt now: Timestamp,
        into record: inout RecordBuffer,
        isClaimed: Bool = false
    ) -> Int {
        let first = record.fields.count
        let prefix = start == 0 && !isClaimed && !hasForm(text) ? KataPrefix(text, readAt: now) : nil
        let end = parseRecord(text, from: prefix?.end ?? start, at: base, into: &record)
        let isEntry = !isClaimed && record.isJournalEntry(from: first)
        if isEntry {
            KataEntry.unpack(&record, from: first)
        }
        if isClaimed {
            KataFields.setClaimed(&record, from: first)
        }
        if let message = prefix?.message {
            SyslogFields.append(message, to: &record, from: first)
        }
        KataFields.normalise(&record, from: first)
        // The record's own time is more exact.
        record.time = record.time ?? prefix?.message.time
        if isEntry {
            record.takeJournalTime()
        }
        return end
    }

    /// Whether an object, a quoted one, or a key and `=` begin the text.
    private static func hasForm(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let start = text.firstIndex(where: { $0 > 0x20 }) else {
            return true
        }
        return text[start] == UInt8(ascii: "{") || text[start] == UInt8(ascii: "\"") || isLogfmt(text, from: start)
    }

    /// Parses a record, and the one inside, without the common form of their fields.
    static func parseRecord(
        _ text: UnsafeRawBufferPointer,
        from start: Int,
        at base: Int,
        into record: inout RecordBuffer
    ) -> Int {
        let first = record.fields.count
        let end = parseForm(text, from: start, at: base, quotes: 0, into: &record)
        KataRecovery.apply(to: &record, from: first)
        KataConsole.unpack(&record, from: first)
        return end
    }

    /// Parses the form that the text has, without its meaning.
    static func parseForm(
        _ text: UnsafeRawBufferPointer,
        from start: Int,
        at base: Int,
        quotes: Int,
        into record: inout RecordBuffer
    ) -> Int {
        let start = text.indices.suffix(from: min(start, text.count)).first { text[$0] > 0x20 } ?? text.count
        guard start < text.count else {
            return text.count
        }
        switch text[start] {
        case UInt8(ascii: "{"):
            if let end = JSONFieldParser.parse(
                text,
                from: start,
                at: base,
                into: &record,
                flattenedWith: UInt8(ascii: ".")
            ) {
                return end
            }
        case UInt8(ascii: "\"") where quotes < quoteLimit:
            if let end = parseQuoted(text, from: start, quotes: quotes, into: &record) {
                return end
            }
        default:
            if isLogfmt(text, from: start) {
                return LogfmtParser.parse(text, from: start, at: base, into: &record, stopKey: "time")
            }
        }
        let end = text.indices.suffix(from: start).last { text[$0] > 0x20 }.map { $0 + 1 } ?? start
        let name = record.store("msg".utf8)
        record.fields.append(RecordBuffer.Field(name: name, value: base + start..<base + end, form: .text))
        record.mark(.otherForm, unparsed: EmptyCollection())
        return text.count
    }

    /// An object inside a string, possibly several times.
    private static func parseQuoted(
        _ text: UnsafeRawBufferPointer,
        from start: Int,
        quotes: Int,
        into record: inout RecordBuffer
    ) -> Int? {
        var scanner = JSONScanner(text, at: start)
        guard scanner.skipString() != nil else {
            return nil
        }
        let contents = UnsafeRawBufferPointer(rebasing: text[start + 1..<scanner.offset - 1])
        let decoded = GoEscape.decode(contents)
        guard let first = decoded.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{") || first == UInt8(ascii: "\"")
        else {
            return nil
        }
        let range = record.store(decoded)
        _ = decoded.withUnsafeBytes {
            parseForm($0, from: 0, at: range.lowerBound, quotes: quotes + 1, into: &record)
        }
        return scanner.offset
    }

    /// Whether a key and `=` begin here.
    private static func isLogfmt(_ text: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var end = start
        while end < text.count, text[end] > 0x20, text[end] != UInt8(ascii: "="), text[end] != UInt8(ascii: "\"") {
            end += 1
        }
        return end > start && end < text.count && text[end] == UInt8(ascii: "=")
    }
}
