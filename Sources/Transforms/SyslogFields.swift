// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Makes fields of a syslog message, with the names that Fluentd's and Fluent Bit's syslog parsers use.
enum SyslogFields {
    /// Parses the rest of `text`, from `start` on, which was read at `now`; returns its end.
    static func parse(
        _ text: UnsafeRawBufferPointer,
        from start: Int,
        at base: Int,
        readAt now: Timestamp,
        into record: inout RecordBuffer
    ) -> Int {
        let line = UnsafeRawBufferPointer(rebasing: text[start...])
        guard let message = SyslogMessage(line: line, now: now, zone: .system) else {
            record.mark(.otherForm, unparsed: line)
            return text.count
        }
        record.time = message.time
        if line.first == UInt8(ascii: "<") {
            record.append("facility", "\(message.priority.facility)", .literal)
            record.append("severity", message.priority.severity.name, .plain)
        }
        append(message, to: &record, from: record.fields.count)
        record.append(RecordFormat.textName, message.content)
        return text.count
    }

    /// Adds who wrote a message, and its structured data: fields with names that those from `first` on do not have.
    static func append(_ message: SyslogMessage, to record: inout RecordBuffer, from first: Int) {
        for (name, value) in [
            ("host", message.hostname), ("ident", message.tag), ("pid", message.process), ("msgid", message.identifier),
        ] {
            if let value, record.firstIndex(of: Array(name.utf8), from: first) == nil {
                record.append(name.utf8, value)
            }
        }
        for element in message.data {
            record.append(element.identifier + [UInt8(ascii: ".")] + element.name, element.value)
        }
    }
}
