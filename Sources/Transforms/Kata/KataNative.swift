// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The records of Kata's Rust runtime, which writes its fields into the journal natively: the names in upper case, the
/// message in `MESSAGE`, the sandbox in `SOURCE`.
enum KataNative {
    private static let message: ConstantBytes = "MESSAGE"
    private static let name: ConstantBytes = "NAME"
    private static let priority: ConstantBytes = "PRIORITY"
    private static let runtime = "kata-runtime"
    private static let source: ConstantBytes = "SOURCE"

    /// Whether a journal entry is such a record.
    static func isNative(_ record: RecordBuffer) -> Bool {
        record.value(of: name)?.elementsEqual(runtime.utf8) == true && record.value(of: source) != nil
    }

    /// Adds what it says under the names that `KataParser` uses. A message that is an agent's record, or a console's line,
    /// is a guest's: its time and sandbox are ignored.
    static func parse(_ text: UnsafeRawBufferPointer, at offset: Int, into record: inout RecordBuffer) {
        let printed = KataConsole.line(in: text)
        let value = printed.map { record.store($0) } ?? offset..<offset + text.count
        let text = printed ?? Array(text)
        let first = record.fields.count
        let isObject = text.first { $0 > 0x20 }.map { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "\"") } ?? false
        if isObject {
            _ = text.withUnsafeBytes { KataParser.parseRecord($0, from: 0, at: value.lowerBound, into: &record) }
            KataFields.setClaimed(&record, from: first)
        }
        if record.firstIndex(of: KataFields.message, from: first) == nil {
            record.fields.removeSubrange(first...)
            if printed == nil {
                let name = record.store(KataFields.message)
                record.fields.append(RecordBuffer.Field(name: name, value: value, form: .text))
            } else {
                KataConsole.appendLine(value, to: &record)
                record.distrust(from: first)
            }
            copy(Self.name, as: KataFields.name, in: &record, from: first)
            copy("PID", as: KataFields.process, in: &record, from: first)
            if let level = record.value(of: priority).flatMap({ levels[Array($0)] }) {
                record.append(KataFields.level, level.utf8, .plain)
            }
        }
        copy(source, as: KataFields.sandbox, in: &record, from: first)
        copy("SUBSYSTEM", as: KataFields.subsystem, in: &record, from: first)
        KataFields.normalise(&record, from: first)
    }

    private static func copy(
        _ name: ConstantBytes,
        as other: ConstantBytes,
        in record: inout RecordBuffer,
        from first: Int
    ) {
        guard record.firstIndex(of: other, from: first) == nil, let index = record.firstIndex(of: name)
        else {
            return
        }
        var field = record.fields[index]
        field.name = record.store(other)
        record.fields.append(field)
    }

    /// slog's journal drain writes each level one less severe than syslog's word for it.
    private static let levels: [[UInt8]: String] = [
        Array("2".utf8): "critical", Array("3".utf8): "error", Array("4".utf8): "warning", Array("5".utf8): "info",
        Array("6".utf8): "debug", Array("7".utf8): "trace",
    ]
}
