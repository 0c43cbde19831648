// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// The Kubernetes container runtimes' log format: `<RFC 3339> stdout F|P <content>`; P means that the line continues in
/// the next entry. A line that does not is ended by an F without content. Losses are on `stderr`, where no guest writes.
struct CRIFormat: EntryWriter {
    private var clock = StampWriter(.utc)
    /// The stream of the last entry, and where its line continues, when that is not complete.
    private var part: (input: Int, end: UInt64)?

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        if let part, part != (input, line.start.offset) {
            cutLine(at: line.time, to: &out)
        }
        part = line.isWhole ? nil : (input, line.end)
        // Only the LF belongs to the format; a CR is the guest's.
        let text = line.isWhole ? UnsafeRawBufferPointer(rebasing: line.bytes.dropLast()) : line.bytes
        append(line.time, line.isWhole ? Self.full : Self.partial, text, to: &out)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        let text: String
        switch event.kind {
        case .gap(let gap): text = gap.reason.message(losing: gap.bytes, lines: gap.lines)
        case .missing(let bytes, let reason): text = reason.message(losing: bytes)
        case .boot, .origin: return
        }
        text.withUTF8Bytes { append(event.time, Self.loss, $0, to: &out) }
    }

    mutating func cutLine(at time: Timestamp, to out: inout [UInt8]) {
        if part != nil {
            append(time, Self.full, UnsafeRawBufferPointer(start: nil, count: 0), to: &out)
            part = nil
        }
    }

    private mutating func append(
        _ time: Timestamp,
        _ kind: [UInt8],
        _ text: UnsafeRawBufferPointer,
        to out: inout [UInt8]
    ) {
        clock.appendNanoseconds(time, to: &out)
        out.append(contentsOf: kind)
        out.append(contentsOf: text)
        out.append(Lines.feed)
    }

    private static let full = Array(" stdout F ".utf8)
    private static let partial = Array(" stdout P ".utf8)
    private static let loss = Array(" stderr F ".utf8)
}
