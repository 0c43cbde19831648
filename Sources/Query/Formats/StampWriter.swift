// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Writes times, and caches the last one: all lines of one record have the same.
struct StampWriter {
    private var writer: LocalTimeWriter
    private var last: Timestamp?
    private var written: [UInt8] = []

    init(_ writer: LocalTimeWriter) {
        self.writer = writer
    }

    /// Appends `time` as RFC 3339 with microseconds.
    mutating func append(_ time: Timestamp, to out: inout [UInt8]) {
        update(time) { $0.appendRFC3339(time, to: &$1) }
        out.append(contentsOf: written)
    }

    /// Appends `time` as RFC 3339 with nanoseconds; for a writer of UTC.
    mutating func appendNanoseconds(_ time: Timestamp, to out: inout [UInt8]) {
        update(time) { writer, written in
            writer.appendRFC3339(time, to: &written)
            written.removeLast()
            written.append(contentsOf: "000Z".utf8)
        }
        out.append(contentsOf: written)
    }

    /// Appends `time` as `Nov 20 17:00:05`.
    mutating func appendShort(_ time: Timestamp, to out: inout [UInt8]) {
        update(time) { $0.appendShort(time, to: &$1) }
        out.append(contentsOf: written)
    }

    private mutating func update(_ time: Timestamp, _ write: (inout LocalTimeWriter, inout [UInt8]) -> Void) {
        guard time != last else {
            return
        }
        last = time
        written.removeAll(keepingCapacity: true)
        write(&writer, &written)
    }
}
