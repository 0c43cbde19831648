// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// What stands before Kata's text in a line that journalctl(1) prints in one of its short formats, or that a syslog daemon
/// writes: a time, a host and a program.
struct KataPrefix {
    let message: SyslogMessage
    /// Where in the line Kata's text begins.
    let end: Int

    private static let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map { Array($0.utf8) }

    /// nil when the line, which was read at `now`, does not begin with a time and a program.
    init?(_ line: UnsafeRawBufferPointer, readAt now: Timestamp) {
        let full = Self.withoutWeekday(line)
        let parsed =
            full?.withUnsafeBytes { SyslogMessage(line: $0, now: now, zone: .system) }
            ?? SyslogMessage(line: line, now: now, zone: .system)
        guard let message = parsed, message.time != nil, message.tag != nil else {
            return nil
        }
        self.message = message
        // The contents are the line's end, without NULs.
        end = (line.lastIndex { $0 != 0 && $0 != Lines.feed } ?? -1) + 1 - message.content.count
    }

    /// A line of the format `short-full`, `Mon 2025-12-15 19:55:10 UTC …`, with its time in the form of RFC 3339: local
    /// time when the zone is another word.
    private static func withoutWeekday(_ line: UnsafeRawBufferPointer) -> [UInt8]? {
        let space = UInt8(ascii: " ")
        guard line.count > 24, line[3] == space, line[14] == space, line[23] == space,
            weekdays.contains(where: { line.starts(with: $0) }), let end = line[24...].firstIndex(of: space)
        else {
            return nil
        }
        let zone = line[24..<end]
        let isUTC = zone.elementsEqual("UTC".utf8) || zone.elementsEqual("GMT".utf8)
        let hasOffset = zone.first == UInt8(ascii: "+") || zone.first == UInt8(ascii: "-")
        let offset = isUTC ? [UInt8(ascii: "Z")] : hasOffset ? Array(zone) : []
        return Array(line[4..<14]) + [UInt8(ascii: "T")] + line[15..<23] + offset + line[end...]
    }
}
