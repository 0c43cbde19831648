// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The meaning of the fields of Kata's records, which each of its parts spells in its own way.
enum KataFields {
    static let time = Array("time".utf8)
    static let level = Array("level".utf8)
    static let message = Array("msg".utf8)
    static let name = Array("name".utf8)
    static let process = Array("pid".utf8)
    static let source = Array("source".utf8)
    static let sandbox = Array("sandbox".utf8)
    static let container = Array("container".utf8)
    static let console = Array("vmconsole".utf8)
    /// The agent's name for the time.
    static let agentStamp = Array("ts".utf8)
    static let agentTime = Array("agent_time".utf8)
    static let agentSandbox = Array("agent_sandbox".utf8)
    private static let containerAliases = ["container-id", "cid"].map { Array($0.utf8) }
    private static let sandboxAliases = ["sandbox-id", "sid"].map { Array($0.utf8) }
    private static let times = [time, agentStamp, Array(StructuredRecord.timeName.utf8)]
    /// The names of the sandbox, the common one first.
    static let sandboxes = [sandbox] + sandboxAliases

    /// The fields from `first` on that have the name, by their indices.
    static func index(of name: [UInt8], in record: RecordBuffer, from first: Int) -> Int? {
        record.fields.indices.suffix(from: min(first, record.fields.count)).first {
            record.matches(record.fields[$0].name, name)
        }
    }

    /// Gives the fields from `first` on their common form.
    static func normalise(_ record: inout RecordBuffer, from first: Int) {
        takeTime(of: &record, from: first)
        if let index = index(of: level, in: record, from: first) {
            let value = record[record.fields[index].value]
            if let word = levels[Array(value)] {
                record.fields[index].value = record.store(word.utf8)
                record.fields[index].form = .plain
            }
        }
        if let index = index(of: process, in: record, from: first), record.fields[index].form != .literal,
            isNumber(record[record.fields[index].value])
        {
            record.fields[index].form = .literal
        }
        alias(container, containerAliases, in: &record, from: first)
        alias(sandbox, sandboxAliases, in: &record, from: first)
    }

    /// Makes the fields from `first` on those of a guest: they are untrusted, and what it says to be its time and its
    /// sandbox have names of their own.
    static func setClaimed(_ record: inout RecordBuffer, from first: Int) {
        record.distrust(from: first)
        for index in record.fields.indices.dropFirst(first) {
            let name = record.fields[index].name
            if times.contains(where: { record.matches(name, $0) }) {
                record.fields[index].name = record.store(agentTime)
            } else if sandboxes.contains(where: { record.matches(name, $0) }) {
                record.fields[index].name = record.store(agentSandbox)
            }
        }
    }

    /// The record's time: of its field `time`, else of the agent's.
    private static func takeTime(of record: inout RecordBuffer, from first: Int) {
        for name in [time, agentStamp] {
            guard let index = index(of: name, in: record, from: first) else {
                continue
            }
            let place = record.fields[index].value
            let moment = record.bytes.withUnsafeBytes { Timestamp.nanoseconds(rfc3339: .init(rebasing: $0[place])) }
            guard let moment else {
                continue
            }
            if record.time == nil || name == time {
                record.time = moment
                record.fields.remove(at: index)
            } else {
                record.fields[index].name = record.store(agentTime)
            }
        }
    }

    /// Adds the field `name` with the value of another that has one of these names.
    private static func alias(_ name: [UInt8], _ others: [[UInt8]], in record: inout RecordBuffer, from first: Int) {
        guard index(of: name, in: record, from: first) == nil else {
            return
        }
        for other in others {
            if let index = index(of: other, in: record, from: first) {
                var field = record.fields[index]
                field.name = record.store(name)
                record.fields.append(field)
                return
            }
        }
    }

    /// Whether `text` is a whole number that JSON writes in the same way.
    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        (1...18).contains(text.count) && text.allSatisfy { $0 &- UInt8(ascii: "0") <= 9 }
            && (text.first != UInt8(ascii: "0") || text.count == 1)
    }

    /// The words for levels that are not already common: slog's short and long ones.
    private static let levels: [[UInt8]: String] = Dictionary(
        uniqueKeysWithValues: [
            ("TRCE", "trace"), ("TRACE", "trace"), ("DEBG", "debug"), ("DEBUG", "debug"), ("INFO", "info"),
            ("WARN", "warning"), ("WARNING", "warning"), ("warn", "warning"), ("ERRO", "error"), ("ERROR", "error"),
            ("err", "error"), ("CRIT", "critical"), ("CRITICAL", "critical"), ("FATAL", "fatal"), ("PANIC", "panic"),
        ].map { (Array($0.0.utf8), $0.1) }
    )
}
