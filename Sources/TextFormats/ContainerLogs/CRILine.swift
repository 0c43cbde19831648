// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A line of the Kubernetes container runtimes' log format (kubernetes/cri-api, "Container Logging"):
/// `<RFC 3339> <stdout|stderr> <P|F>[:tag…] <text>`. `P` means that the text continues in the next line of that stream.
public struct CRILine: Sendable {
    /// When the text was received, in nanoseconds since the Unix epoch.
    public var time: Int64
    /// Ranges of the line.
    public var stream: Range<Int>
    public var tag: Range<Int>
    public var text: Range<Int>
    /// Whether the text continues.
    public var isPartial: Bool

    /// Parses `line`, without its end, from `start` on; nil when it is no such line.
    public init?(_ line: UnsafeRawBufferPointer, from start: Int = 0) {
        var offset = start
        func word() -> Range<Int>? {
            guard let end = line[min(offset, line.count)...].prefix(64).firstIndex(of: 0x20), end > offset else {
                return nil
            }
            defer { offset = end + 1 }
            return offset..<end
        }
        guard let stamp = word(),
            let time = Timestamp.nanoseconds(rfc3339: UnsafeRawBufferPointer(rebasing: line[stamp])),
            let stream = word(), line[stream].elementsEqual("stdout".utf8) || line[stream].elementsEqual("stderr".utf8)
        else {
            return nil
        }
        let rest = line[min(offset, line.count)...]
        // The space before an empty text may be missing.
        let end = rest.prefix(64).firstIndex(of: 0x20) ?? line.count
        guard let first = rest.first, first == UInt8(ascii: "P") || first == UInt8(ascii: "F"),
            end == offset + 1 || line[offset + 1] == UInt8(ascii: ":")
        else {
            return nil
        }
        self.time = time
        self.stream = stream
        tag = offset..<end
        text = min(end + 1, line.count)..<line.count
        isPartial = first == UInt8(ascii: "P")
    }

    /// The line as a part; `line` is the line that was parsed.
    public func part(of line: UnsafeRawBufferPointer) -> ContainerPart {
        let isError = line[stream].last == UInt8(ascii: "r")
        return ContainerPart(time: time, isError: isError, text: Array(line[text]), isPartial: isPartial)
    }

    /// Adds the line's parts as fields of `record`, whose buffer contains the line at `base`.
    public func append(to record: inout RecordBuffer, at base: Int) {
        record.time = time
        func shifted(_ range: Range<Int>) -> Range<Int> { base + range.lowerBound..<base + range.upperBound }
        for (name, value) in [("stream", stream), ("logtag", tag), ("message", text)] {
            let name = record.store(name.utf8)
            record.fields.append(RecordBuffer.Field(name: name, value: shifted(value), form: .text))
        }
    }
}
