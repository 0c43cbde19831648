// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// One line on the terminal of standard error that says how far a long command is; nothing when that is no terminal.
struct ProgressLine {
    private let isShown = isatty(STDERR_FILENO) == 1
    private var isOnScreen = false
    /// When the line was last written, in monotonic microseconds: more than a few times a second flickers.
    private var last: Int64 = 0

    private static let interval: Int64 = 200_000

    /// Shows `text`, unless the line was written a moment ago.
    mutating func show(_ text: @autoclosure () -> String) {
        guard isShown else {
            return
        }
        let now = SystemClock().monotonicMicroseconds()
        guard now - last >= Self.interval else {
            return
        }
        last = now
        isOnScreen = true
        write("\r\u{1b}[K" + text())
    }

    /// Removes the line, for other output.
    mutating func clear() {
        if isOnScreen {
            write("\r\u{1b}[K")
            isOnScreen = false
        }
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
