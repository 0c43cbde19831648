// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The size of a terminal's window, in characters; 0 where it is unknown.
public struct TerminalSize: Hashable, Sendable {
    public var rows: Int
    public var columns: Int

    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }
}

/// A terminal that this process has as one of its descriptors.
public struct TerminalDevice: Sendable {
    private let descriptor: Int32

    /// The terminal behind `descriptor`, which the caller owns; nil if it is not a terminal.
    public init?(_ descriptor: Int32) {
        guard isatty(descriptor) == 1 else {
            return nil
        }
        self.descriptor = descriptor
    }

    /// Whether this process may read it and change its modes: its process group is the terminal's foreground process
    /// group. A terminal that is not the controlling one is not subject to job control.
    public var isForeground: Bool {
        let group = tcgetpgrp(descriptor)
        return group < 0 || group == getpgrp()
    }

    /// The size of its window.
    public var size: TerminalSize? {
        var size = winsize()
        return gl_get_window_size(descriptor, &size) == 0
            ? TerminalSize(rows: Int(size.ws_row), columns: Int(size.ws_col)) : nil
    }

    /// Sets raw mode (cfmakeraw(3)), in which every byte is input; returns the modes before.
    public func makeRaw() -> termios? {
        var modes = termios()
        guard tcgetattr(descriptor, &modes) == 0 else {
            return nil
        }
        let before = modes
        cfmakeraw(&modes)
        tcsetattr(descriptor, TCSANOW, &modes)
        return before
    }

    /// Restores `modes` and undoes what a guest may have changed on the terminal at standard output: colours, character
    /// set, cursor and screen. Unread input is discarded: it may be the terminal's answer to a guest's query.
    /// Waits at most half a second, and never for output.
    public func restore(_ modes: termios) {
        discardAnswers()
        var modes = modes
        tcflush(descriptor, TCIFLUSH)
        tcsetattr(descriptor, TCSANOW, &modes)
        var output = pollfd(STDOUT_FILENO, POLLOUT)
        if isatty(STDOUT_FILENO) == 1, poll(&output, 1, 0) == 1, output.revents == Int16(POLLOUT) {
            _ = write(STDOUT_FILENO, Self.reset, Self.reset.count)
        }
    }

    /// From now on SIGTERM, SIGINT, SIGHUP and SIGQUIT restore the present modes, and the screen as `restore` does, before
    /// they end this process. Signals that are ignored stay ignored.
    public func restoreAtSignals() {
        gl_restore_terminal_at_signals(descriptor, Self.reset, Self.reset.count)
    }

    /// Reads and discards input until there is none for a while: an answer to a query that the terminal has just
    /// received is on its way.
    private func discardAnswers() {
        var buffer = [UInt8](repeating: 0, count: 256)
        for _ in 0..<Self.answers {
            var input = pollfd(descriptor)
            guard poll(&input, 1, Self.answerTime) == 1, read(descriptor, &buffer, buffer.count) > 0 else {
                return
            }
        }
    }

    /// Milliseconds to wait for an answer, and how often.
    private static let answerTime: Int32 = 100
    private static let answers = 5

    private static let reset: [UInt8] = [
        // The normal screen (not 1049, which moves the cursor too), and scrolling over all of it, the cursor kept.
        "\u{1b}[?47l", "\u{1b}7\u{1b}[r\u{1b}8",
        // No colours, a cursor, ASCII in G0 and G0 in use.
        "\u{1b}[0m", "\u{1b}[?25h", "\u{1b}(B", "\u{0f}",
        // Keys that send what is on them; no reports of the mouse or of pasting.
        "\u{1b}[?1l", "\u{1b}>", "\u{1b}[?1000l", "\u{1b}[?1002l", "\u{1b}[?1006l", "\u{1b}[?2004l",
    ].flatMap { Array($0.utf8) }
}
