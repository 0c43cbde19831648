// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The meaning of the fields of Kata's records, which each of its parts spells in its own way.
enum KataFields {
    static let time: ConstantBytes = "time"
    static let level: ConstantBytes = "level"
    static let message: ConstantBytes = "msg"
    static let name: ConstantBytes = "name"
    static let process: ConstantBytes = "pid"
    static let source: ConstantBytes = "source"
    static let subsystem: ConstantBytes = "subsystem"
    static let sandbox: ConstantBytes = "sandbox"
    static let container: ConstantBytes = "container"
    static let console: ConstantBytes = "vmconsole"
    /// The agent's name for the time.
    static let agentStamp: ConstantBytes = "ts"
    static let agentTime: ConstantBytes = "agent_time"
    static let agentSandbox: ConstantBytes = "agent_sandbox"
    private static let containerAliases: [ConstantBytes] = ["container-id", "cid"]
    private static let sandboxAliases: [ConstantBytes] = ["sandbox-id", "sid"]
    private static let ownTimes = [time, agentStamp]
    private static let times = [time, agentStamp, StructuredRecord.timeName]
    /// The names of the sandbox, the common one first.
    static let sandboxes = [sandbox] + sandboxAliases

    /// Gives the fields from `first` on their common form.
    static func normalise(_ record: inout RecordBuffer, from first: Int) {
        setTime(of: &record, from: first)
        if let index = record.firstIndex(of: level, from: first) {
            let value = record[record.fields[index].value]
            if let word = commonLevel(value) {
                record.fields[index].value = record.store(word.utf8)
                record.fields[index].form = .plain
            }
        }
        if let index = record.firstIndex(of: process, from: first), record.fields[index].form != .literal,
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
        rename(times, to: agentTime, in: &record, from: first)
        rename(sandboxes, to: agentSandbox, in: &record, from: first)
    }

    private static func rename(
        _ names: [ConstantBytes],
        to other: ConstantBytes,
        in record: inout RecordBuffer,
        from first: Int
    ) {
        for name in names {
            var start = first
            while let index = record.firstIndex(of: name, from: start) {
                record.fields[index].name = record.store(other)
                start = index + 1
            }
        }
    }

    /// The record's time: of its field `time`, else of the agent's.
    private static func setTime(of record: inout RecordBuffer, from first: Int) {
        for name in ownTimes {
            guard let index = record.firstIndex(of: name, from: first), let moment = record.writtenTime(at: index)
            else {
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
    private static func alias(
        _ name: ConstantBytes,
        _ others: [ConstantBytes],
        in record: inout RecordBuffer,
        from first: Int
    ) {
        guard record.firstIndex(of: name, from: first) == nil else {
            return
        }
        for other in others {
            if let index = record.firstIndex(of: other, from: first) {
                var field = record.fields[index]
                field.name = record.store(name)
                record.fields.append(field)
                return
            }
        }
    }

    /// Whether `text` is a whole number that JSON writes in the same way.
    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        (1...18).contains(text.count) && text.allSatisfy(\.isDecimalDigit)
            && (text.first != UInt8(ascii: "0") || text.count == 1)
    }

    /// The common word for a level that is spelt in another way.
    private static func commonLevel(_ value: ArraySlice<UInt8>) -> String? {
        // Most are the common words, which begin with a small letter.
        guard let first = value.first,
            first < UInt8(ascii: "a") || value.elementsEqual("warn".utf8)
                || value.elementsEqual("err".utf8)
        else {
            return nil
        }
        return levels[Array(value)]
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
