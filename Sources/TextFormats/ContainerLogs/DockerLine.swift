// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A line of docker's `json-file` driver (moby, daemon/logger/jsonfilelog/jsonlog): an object with `log`, `stream` and
/// `time`. A `log` without a line feed at its end continues in the next line of that stream.
public enum DockerLine {
    /// Parses `line`, without its end; nil when it is no such line, or has more after its object.
    public static func parse(_ line: UnsafeRawBufferPointer) -> ContainerPart? {
        var record = RecordBuffer()
        let base = record.store(line).lowerBound
        guard let end = JSONFieldParser.parse(line, at: base, into: &record), line[end...].allSatisfy({ $0 <= 0x20 }),
            let text = record.value(of: Array("log".utf8)),
            let stamp = record.firstIndex(of: Array("time".utf8)),
            let time = record.bytes.withUnsafeBytes({ bytes in
                Timestamp.nanoseconds(rfc3339: UnsafeRawBufferPointer(rebasing: bytes[record.fields[stamp].value]))
            })
        else {
            return nil
        }
        let isPartial = text.last != Lines.feed
        return ContainerPart(
            time: time,
            isError: record.value(of: Array("stream".utf8))?.elementsEqual("stderr".utf8) == true,
            text: Array(isPartial ? text : text.dropLast()),
            isPartial: isPartial
        )
    }
}
