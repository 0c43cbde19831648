// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Messages of `guestlog run` for standard error. It may be a terminal that takes nothing for a while, because it shows
/// the command's output as well: a message waits until it is taken.
struct RunMessages {
    private var pending: [[UInt8]] = []

    /// Maximum number of waiting messages; further ones are dropped.
    private static let limit = 64
    /// Milliseconds for which the last messages wait at the end.
    private static let lastWait: Int32 = 1000

    var isEmpty: Bool { pending.isEmpty }

    /// Adds a message. `isRaw`: for a terminal in raw mode, whose cursor may be anywhere in a line.
    mutating func add(_ message: String, isRaw: Bool) {
        if pending.count < Self.limit {
            pending.append(Array((isRaw ? "\r\nguestlog: \(message)\r\n" : "guestlog: \(message)\n").utf8))
        }
    }

    /// Writes the messages that standard error takes now.
    mutating func write() {
        while let line = pending.first, Self.isWritable(within: 0) {
            _ = Glibc.write(STDERR_FILENO, line, line.count)
            pending.removeFirst()
        }
    }

    /// Writes all messages, unless standard error takes nothing for a second.
    mutating func writeAll() {
        while !isEmpty, Self.isWritable(within: Self.lastWait) {
            write()
        }
    }

    /// Whether a write would not wait, or would fail.
    private static func isWritable(within milliseconds: Int32) -> Bool {
        var writable = pollfd(STDERR_FILENO, POLLOUT)
        return poll(&writable, 1, milliseconds) == 1
    }
}
