// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The records of a guest's agent inside records of the runtime.
enum KataConsole {
    private static let consoleMessage: ConstantBytes = "reading guest console"
    private static let agent: ConstantBytes = "agent"
    /// What the Rust runtime writes before a console's line, which is a quoted string.
    private static let rustPrefix = Array("vm console: \"".utf8)
    /// The source of what a guest printed that is no agent's record.
    private static let consoleSource = "vmconsole"

    /// Replaces the fields from `first` on by those of the record inside, if there is one.
    static func unpack(_ record: inout RecordBuffer, from first: Int) {
        guard let message = record.firstIndex(of: KataFields.message, from: first) else {
            return
        }
        if record.matches(record.fields[message].value, consoleMessage),
            let console = record.firstIndex(of: KataFields.console, from: first)
        {
            unpackConsole(record.fields[console].value, &record, from: first, besides: message, console)
        } else if let printed = line(in: record[record.fields[message].value]) {
            unpackConsole(record.store(printed), &record, from: first, besides: message)
        } else if let source = record.firstIndex(of: KataFields.source, from: first),
            record.matches(record.fields[source].value, agent),
            record[record.fields[message].value].starts(with: "time=".utf8)
        {
            unpackLogfmt(record.fields[message].value, &record, from: first, besides: message)
        }
    }

    /// The console's line in a message of the Rust runtime; nil when it is another one.
    static func line(in message: some BidirectionalCollection<UInt8>) -> [UInt8]? {
        guard message.starts(with: rustPrefix) else {
            return nil
        }
        let text = message.dropFirst(rustPrefix.count)
        guard text.last == UInt8(ascii: "\"") else {
            return nil
        }
        return Array(text.dropLast()).withUnsafeBytes { GoEscape.decode($0, isRust: true) }
    }

    /// Adds a console's line as a message of its own.
    static func appendLine(_ range: Range<Int>, to record: inout RecordBuffer) {
        let name = record.store(KataFields.message)
        record.fields.append(RecordBuffer.Field(name: name, value: range, form: .text))
        record.append(KataFields.source, consoleSource.utf8, .plain)
    }

    private static func unpackConsole(
        _ range: Range<Int>,
        _ record: inout RecordBuffer,
        from first: Int,
        besides message: Int,
        _ console: Int? = nil
    ) {
        let text = Array(record[range])
        let inner = record.fields.count
        let isAgent = text.first { $0 > 0x20 }.map { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "\"") } ?? false
        var end = text.count
        if isAgent {
            end = text.withUnsafeBytes {
                KataParser.parseForm($0, from: 0, at: range.lowerBound, quotes: 0, into: &record)
            }
            KataRecovery.apply(to: &record, from: inner)
        }
        let isRecord = isAgent && record.firstIndex(of: KataFields.message, from: inner) != nil
        if isRecord, text[end...].contains(where: { $0 > 0x20 }) {
            // What the guest printed after the agent's record on the same line.
            let rest = range.lowerBound + end..<range.upperBound
            let name = record.store(ParseFault.unparsedName)
            record.fields.append(RecordBuffer.Field(name: name, value: rest, form: .text))
        }
        if !isRecord {
            record.fields.removeSubrange(inner...)
            appendLine(range, to: &record)
            keep(KataFields.level, of: &record, first..<inner)
        }
        replace(first..<inner, besides: message, console, of: &record)
    }

    private static func unpackLogfmt(
        _ range: Range<Int>,
        _ record: inout RecordBuffer,
        from first: Int,
        besides message: Int
    ) {
        let text = Array(record[range])
        let inner = record.fields.count
        _ = text.withUnsafeBytes { LogfmtParser.parse($0, at: range.lowerBound, into: &record) }
        replace(first..<inner, besides: message, of: &record)
    }

    /// Replaces the fields of the outer record, at `outer`, by those that follow. When and of which sandbox the record is
    /// stays: the guest does not decide that. What may be a part of the guest's text stays too, besides the fields
    /// `message` and `console`, which were unpacked: what follows a quote without an end, and what could not be parsed.
    private static func replace(
        _ outer: Range<Int>,
        besides message: Int,
        _ console: Int? = nil,
        of record: inout RecordBuffer
    ) {
        let hasFault = record.firstIndex(of: ParseFault.faultName, from: outer.upperBound) != nil
        for index in outer where index != message && index != console {
            let field = record.fields[index]
            let isFault = record.matches(field.name, ParseFault.faultName)
            let isKept = field.isUntrusted || record.matches(field.name, ParseFault.unparsedName)
            if isFault ? !hasFault : isKept {
                record.fields.append(field)
            }
        }
        KataFields.setClaimed(&record, from: outer.upperBound)
        // The Rust runtime has the agent's name for the time.
        if !keep(KataFields.time, of: &record, outer) {
            keep(KataFields.agentStamp, as: KataFields.time, of: &record, outer)
        }
        for name in KataFields.sandboxes
        where keep(name, as: KataFields.sandbox, of: &record, outer) {
            break
        }
        record.fields.removeSubrange(outer)
    }

    /// Adds the trusted field of the outer record that has the name, as `other`; returns whether there is one.
    @discardableResult
    private static func keep(
        _ name: ConstantBytes,
        as other: ConstantBytes? = nil,
        of record: inout RecordBuffer,
        _ outer: Range<Int>
    ) -> Bool {
        let found = outer.first { !record.fields[$0].isUntrusted && record.matches(record.fields[$0].name, name) }
        guard let index = found else {
            return false
        }
        var field = record.fields[index]
        field.name = other.map { record.store($0) } ?? field.name
        record.fields.append(field)
        return true
    }
}
