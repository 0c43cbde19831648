// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport

/// Accounts for everything that a guest wrote: compares what the kernel accepted of a chardev's numbered lines with
/// what is stored, and with what the markers in the store count as lost. Shares no code with the program except for
/// reading the store.
struct CaptureAudit {
    /// Bytes that the kernel accepted, that are stored, and that gap markers count.
    let written: Int
    let stored: Int
    let counted: Int
    /// Errors in words; empty: every hole has its marker in its place, no line is duplicated, and there is one boot.
    private(set) var faults: [String] = []

    /// The positions of markers, for failure messages.
    private let markers: String

    /// Whether every byte is stored or counted.
    var isExact: Bool { written == stored + counted }

    private static let feed = UInt8(ascii: "\n")

    /// A whole line in the store.
    private struct StoredLine {
        let number: Int
        let start: Int
        let end: Int
    }

    init(_ record: TalkingChardev.Record, _ text: StoredText) {
        written = record.bytes
        stored = text.bytes.count
        counted = text.lostBytes
        markers = text.markers.map { marker in
            let gap = marker.detail.gap.map { gap in "\(gap.reason) \(gap.bytes.map { String($0) } ?? "?") bytes" }
            return "\(marker.index): \(gap ?? marker.detail.boot.map { "\($0.event)" } ?? "other")"
        }
        .joined(separator: ", ")
        let lines = Self.wholeLines(in: text.bytes)
        checkOrder(lines, record.lines)
        checkHoles(lines, record, text)
        checkBoots(text)
        if stored + counted > written {
            faults.append("\(stored + counted - written) bytes more are stored or counted than were written")
        }
        if !text.missing.isEmpty {
            faults.append("no marker explains \(text.missing)")
        }
    }

    private static func wholeLines(in bytes: [UInt8]) -> [StoredLine] {
        var lines: [StoredLine] = []
        var start = 0
        while let feed = bytes[start...].firstIndex(of: feed) {
            // A line without its beginning ends like a whole one; a line without its end runs into the next.
            let number = Int(String(decoding: bytes[start..<feed].prefix(10), as: UTF8.self))
            if let number, number >= 0, bytes[start...feed].elementsEqual(NumberedLines.line(number)) {
                lines.append(StoredLine(number: number, start: start, end: feed + 1))
            }
            start = feed + 1
        }
        return lines
    }

    private mutating func checkOrder(_ lines: [StoredLine], _ written: [Int]) {
        for (one, next) in zip(lines, lines.dropFirst()) where one.number >= next.number {
            faults.append("line \(next.number) comes after line \(one.number)")
        }
        let strange = Set(lines.map(\.number)).subtracting(written)
        if let first = strange.min() {
            faults.append("\(strange.count) stored lines were never written whole, \(first) first")
        }
    }

    /// Each place where lines are missing or torn must have a marker, with at most a line between: one that counts the
    /// missing bytes, or one for an unknown number.
    private mutating func checkHoles(_ lines: [StoredLine], _ record: TalkingChardev.Record, _ text: StoredText) {
        let gaps = text.markers.compactMap { marker in marker.detail.gap.map { (index: marker.index, gap: $0) } }
        var firstGap = 0
        /// The offset of each line in the written bytes.
        var offsets: [Int: Int] = [:]
        var offset = 0
        for number in record.lines {
            offsets[number] = offset
            offset += NumberedLines.line(number).count
        }
        let end = StoredLine(number: (record.lines.last ?? -1) + 1, start: text.bytes.count, end: text.bytes.count)
        offsets[end.number] = record.bytes
        var before = StoredLine(number: (record.lines.first ?? 0) - 1, start: 0, end: 0)
        var writtenBefore = 0
        for line in lines + [end] {
            defer { before = line }
            let begins = offsets[line.number] ?? writtenBefore
            let missing = begins - writtenBefore - (line.start - before.end)
            writtenBefore = begins + (line.end - line.start)
            guard missing != 0 || line.number != before.number + 1 || line.start != before.end else {
                continue
            }
            while firstGap < gaps.count, gaps[firstGap].index < before.start {
                firstGap += 1
            }
            let near = gaps[firstGap...].prefix { $0.index <= line.end }.map(\.gap)
            let isUnknown = near.contains { $0.bytes == nil }
            let counted = near.reduce(0) { $0 + Int($1.bytes ?? 0) }
            if !isUnknown, counted < missing || near.isEmpty {
                faults.append(
                    "between lines \(before.number) and \(line.number), \(missing) bytes are missing at \(before.end), "
                        + "and the markers there count \(counted)"
                )
            }
        }
    }

    private mutating func checkBoots(_ text: StoredText) {
        let begun = text.boots.map(\.event).filter { $0.rawValue < BootEvent.closed.rawValue }
        if begun.count != 1 {
            faults.append("there are \(begun.count) boots: \(begun)")
        }
    }
}

extension CaptureAudit: CustomStringConvertible {
    var description: String {
        let balance =
            "\(written) bytes written, \(stored) stored, \(counted) counted, \(written - stored - counted) neither"
        return ([balance] + faults.prefix(10) + ["markers: " + markers]).joined(separator: "\n")
    }
}
