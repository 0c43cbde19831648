// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One line on the terminal of standard error that says how far a long command is; nothing when that is no terminal.
struct ProgressLine {
    private let isShown = isatty(STDERR_FILENO) == 1
    private var isOnScreen = false
    /// When the line was last written, in seconds of the monotonic clock: more than a few times a second flickers.
    private var last = 0.0

    private static let interval = 0.2

    /// Shows `text`, unless the line was written a moment ago.
    mutating func show(_ text: @autoclosure () -> String) {
        guard isShown else {
            return
        }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let seconds = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
        guard seconds - last >= Self.interval else {
            return
        }
        last = seconds
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
