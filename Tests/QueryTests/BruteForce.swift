// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TextFormats

@testable import Query

/// Answers queries the slow way: reads everything, cuts lines a byte at a time, filters, sorts.
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
        var place = Cursor.start
        while let batch = try follower.next() {
            if batch.start != place.offset {
                atoms.append(.cut)
                place = Cursor(offset: batch.start)
            }
            for record in batch.block.records[batch.firstRecord...] {
                if record.isMarker {
                    if record.offset != place.offset {
                        place = Cursor(offset: record.offset)
                    }
                    let boot = RecordDetail(decoding: record.detail).boot
                    if record.flags.contains(.gap) || boot?.event == .powerOn || boot?.event == .closed {
                        atoms.append(.cut)
                    }
                    atoms.append(.marker(record.time))
                    place.markers += 1
                    continue
                }
                let from = max(record.offset, batch.start)
                let start = Int(from - batch.block.offset)
                let bytes = Array(batch.block.text[start..<Int(record.end - batch.block.offset)])
                atoms.append(.bytes(offset: from, time: record.time, bytes))
            }
            place = batch.next
        }
        return atoms
    }

    /// The lines of a stream from `start` to `bound`.
    static func lines(_ atoms: [Atom], input: Int, from start: Cursor = .start, to bound: UInt64 = .max) -> [Line] {
        var lines: [Line] = []
        var line: Line?
        var maximum = Timestamp.distantPast
        func finish() {
            if let line {
                lines.append(line)
            }
            line = nil
        }
        for atom in atoms {
            let (offset, time, bytes): (UInt64, Timestamp, [UInt8])
            switch atom {
            case .cut:
                finish()
                continue
            case .marker(let time):
                maximum = max(maximum, time)
                continue
            case .bytes(let first, let received, let some): (offset, time, bytes) = (first, received, some)
            }
            maximum = max(maximum, time)
            for (place, byte) in bytes.enumerated() {
                let position = offset + UInt64(place)
                if position < start.offset || position >= bound {
                    continue
                }
                if let begun = line, begun.bytes.count == 64 << 10, byte != 0x0a {
                    finish()
                }
                if line == nil {
                    line = Line(input: input, offset: position, time: time, key: maximum, bytes: [])
                }
                line!.bytes.append(byte)
                if byte == 0x0a {
                    finish()
                }
            }
        }
        finish()
        return lines
    }

    /// The lines of `inputs` that `selection` selects, in order; without boots.
    static func select(_ selection: Selection, of inputs: [[Line]]) -> [Line] {
        var matcher = selection.pattern.map { Matcher($0) }
        var lines = inputs.flatMap { $0 }.filter { line in
            guard line.time >= selection.since ?? .distantPast, line.time <= selection.until ?? .distantFuture else {
                return false
            }
            let content = line.content
            if let severity = selection.severity {
                let own = content.withUnsafeBytes { Severity(consoleLine: $0) } ?? .informational
                guard own <= severity else {
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
