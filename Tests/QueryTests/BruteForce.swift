// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TextFormats

@testable import Query

/// Answers queries the slow way: reads everything, cuts its lines, filters, sorts.
struct BruteForce {
    struct Line: Equatable {
        var input: Int
        var offset: UInt64
        var time: Timestamp
        /// The running maximum of the stream's time.
        var key: Timestamp
        var bytes: [UInt8]

        var isWhole: Bool { bytes.last == 0x0a }

        var content: [UInt8] {
            var content = bytes
            if isWhole {
                content.removeLast()
                while content.last == 0x0d {
                    content.removeLast()
                }
            }
            return content
        }

        var displayed: [UInt8] {
            var out: [UInt8] = []
            content.withUnsafeBytes { _ = DisplayedLine.append($0, color: false, to: &out) }
            return out
        }

        var cri: [UInt8] {
            let stamp = time.description.dropLast() + "000Z"
            return Array("\(stamp) stdout \(isWhole ? "F" : "P") ".utf8) + (isWhole ? bytes.dropLast() : bytes[...]) + [
                0x0a
            ]
        }
    }

    /// A record's bytes, or a position where lines are cut.
    enum Atom {
        case bytes(offset: UInt64, time: Timestamp, [UInt8])
        case cut
        /// A marker's time; markers are records too.
        case marker(Timestamp)
    }

    /// The contents of a stream.
    static func atoms(_ reader: StreamReader) throws -> [Atom] {
        var atoms: [Atom] = []
        let follower = StreamBatches(reader)
        var position = Cursor.start
        while let batch = try follower.next() {
            if batch.start != position.offset {
                atoms.append(.cut)
                position = Cursor(offset: batch.start)
            }
            for record in batch.block.records[batch.firstRecord...] {
                if record.isMarker {
                    if record.offset != position.offset {
                        position = Cursor(offset: record.offset)
                    }
                    let boot = RecordDetail(decoding: record.detail).boot
                    let isOtherBoot =
                        [.powerOn, .closed].contains(boot?.event)
                        || [.firmware, .kernel].contains(boot?.event) && boot?.position == record.offset
                    if record.flags.contains(.gap) || isOtherBoot {
                        atoms.append(.cut)
                    }
                    atoms.append(.marker(record.time))
                    position.markers += 1
                    continue
                }
                let from = max(record.offset, batch.start)
                let start = Int(from - batch.block.offset)
                let bytes = Array(batch.block.text[start..<Int(record.end - batch.block.offset)])
                atoms.append(.bytes(offset: from, time: record.time, bytes))
            }
            position = batch.next
        }
        return atoms
    }

    /// The lines of a stream from `start` to `bound`.
    static func lines(_ atoms: [Atom], input: Int, from start: Cursor = .start, to bound: UInt64 = .max) -> [Line] {
        var lines: [Line] = []
        var bytes: [Received] = []
        var maximum = Timestamp.distantPast
        for atom in atoms {
            switch atom {
            case .cut:
                lines += cut(bytes, input: input)
                bytes = []
            case .marker(let time):
                maximum = max(maximum, time)
            case .bytes(let offset, let time, let some):
                maximum = max(maximum, time)
                for (index, byte) in some.enumerated() {
                    let position = offset + UInt64(index)
                    if position >= start.offset, position < bound {
                        bytes.append(Received(byte: byte, offset: position, time: time, key: maximum))
                    }
                }
            }
        }
        return lines + cut(bytes, input: input)
    }

    /// A byte, and what is known of it.
    private struct Received {
        var byte: UInt8
        var offset: UInt64
        var time: Timestamp
        var key: Timestamp
    }

    /// The lines of adjacent bytes.
    private static func cut(_ received: [Received], input: Int) -> [Line] {
        var lines: [Line] = []
        let text = received.map(\.byte)
        var start = 0
        text.withUnsafeBytes { text in
            while start < text.count {
                var cutter = GrowingLineCutter()
                let cut = cutter.firstLine(of: UnsafeRawBufferPointer(rebasing: text[start...]), limit: 64 << 10)
                let end = cut.map { start + $0.end } ?? text.count
                let painted = received[start + (cut?.painted ?? cutter.painted)]
                lines.append(
                    Line(
                        input: input,
                        offset: received[start].offset,
                        time: painted.time,
                        key: painted.key,
                        bytes: Array(text[start..<end])
                    )
                )
                start = end
            }
        }
        return lines
    }

    /// The lines of `inputs` that `selection` selects and the lines of its context, in order; without boots.
    static func selectWithContext(_ selection: Selection, of inputs: [[Line]]) -> [Line] {
        let selected = Set(select(selection, of: inputs).map { [UInt64($0.input), $0.offset] })
        var shown: [Line] = []
        for lines in inputs {
            var indices: Set<Int> = []
            for (index, line) in lines.enumerated() where selected.contains([UInt64(line.input), line.offset]) {
                indices.formUnion(max(0, index - selection.context.before)...index)
                let following = lines.indices[(index + 1)...].filter { isInTime(lines[$0], selection) }
                indices.formUnion(following.prefix(selection.context.after))
            }
            shown += indices.sorted().map { lines[$0] }.filter { isInTime($0, selection) }
        }
        return shown.sorted { ($0.key, $0.input, $0.offset) < ($1.key, $1.input, $1.offset) }
    }

    private static func isInTime(_ line: Line, _ selection: Selection) -> Bool {
        line.time >= selection.since ?? .distantPast && line.time <= selection.until ?? .distantFuture
    }

    /// The lines of `inputs` that `selection` selects, in order; without boots.
    static func select(_ selection: Selection, of inputs: [[Line]]) -> [Line] {
        var matcher = selection.pattern.map { Matcher($0) }
        var lines = inputs.flatMap { $0 }.filter { line in
            guard isInTime(line, selection) else {
                return false
            }
            let content = line.displayed
            if let severities = selection.severities {
                let own = content.withUnsafeBytes { Severity(consoleLine: $0) } ?? .informational
                guard severities.contains(own) else {
                    return false
                }
            }
            return content.withUnsafeBytes { matcher?.matches($0) ?? true }
        }
        lines.sort { ($0.key, $0.input, $0.offset) < ($1.key, $1.input, $1.offset) }
        if let tail = selection.tail {
            lines = Array(lines.suffix(tail))
        }
        if let head = selection.head {
            lines = Array(lines.prefix(head))
        }
        return lines
    }
}
