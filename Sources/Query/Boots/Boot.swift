// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore

/// One boot of a VM: from the start of the machine to the start of the next boot.
public struct Boot: Hashable, Sendable {
    /// Its number among the stored boots, 1 for the oldest.
    public var number: Int
    /// The stream in which it was detected: the console, or records with boot ids.
    public var stream: StreamName
    public var position: UInt64
    public var start: Timestamp
    /// When it ended, or the next one began; nil while it lasts. The time of the last record when no process captures the
    /// VM any more and no end was recorded.
    public var end: Timestamp?
    /// How its beginning was detected; nil when retention has removed the beginning: `start` is then the time of the
    /// first record that is left.
    var startEvent: BootEvent?
    /// How its end was detected; nil when it was not.
    var endEvent: BootEvent?
    /// Stored bytes of text of the boot in that stream.
    public var bytes: UInt64
    /// The guest's id of the boot (/proc/sys/kernel/random/boot_id), 32 hexadecimal digits, from its records.
    public var bootID: String?
    /// What its service manager reported about it.
    public var report = GuestReport()

    /// Its beginning, before its own marker.
    var beginning: Cursor
    /// The position of its marker; boots without text begin at the same position.
    var marker: Cursor
    /// The position of the marker that recorded its end first.
    var endMarker: Cursor?
    /// The line that announced its end; the marker follows the boot's last words.
    var endAnnouncement: UInt64?
    /// Whether the console was closed after it.
    var isClosed = false
}

extension Boot {
    public var json: JSON {
        .object([
            ("number", .integer(Int64(number))),
            ("stream", .string(stream.text)),
            ("start", .string(start.description)),
            ("end", end.map { .string($0.description) } ?? .null),
            ("start_event", startEvent.map { .string($0.name) } ?? .null),
            ("end_event", endEvent.map { .string($0.name) } ?? .null),
            ("position", .integer(Int64(clamping: position))),
            ("bytes", .integer(Int64(clamping: bytes))),
            ("boot_id", bootID.map { .string($0) } ?? .null),
            ("ready", report.ready.map { .string($0.description) } ?? .null),
            ("shutdown", report.shutdown.map { .string($0) } ?? .null),
            ("exit_status", report.exitStatus.map { .integer(Int64($0)) } ?? .null),
        ])
    }
}
