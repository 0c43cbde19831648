// SPDX-License-Identifier: Apache-2.0

import Glibc
import TextFormats

/// The terminal of this process.
enum Terminal {
    /// `text` without characters that a terminal acts on.
    static func safe(_ text: String) -> String {
        String(decoding: TerminalEscaper.escape(Array(text.utf8), style: .field), as: UTF8.self)
    }

    /// Sets raw mode until `restore`; returns the mode before, nil when standard input is not a terminal.
    static func makeRaw() -> termios? {
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0 else {
            return nil
        }
        let before = mode
        cfmakeraw(&mode)
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        return before
    }

    /// Restores the terminal's modes, colours, character set, cursor and screen, all of which the guest may have
    /// changed.
    static func restore(_ mode: termios?) {
        guard var mode else {
            return
        }
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
        if isatty(STDOUT_FILENO) == 1 {
            try? Output.write(reset.joined())
        }
    }

    private static let reset = [
        // The normal screen (not 1049, which moves the cursor too), and scrolling over all of it, the cursor kept.
        "\u{1b}[?47l", "\u{1b}7\u{1b}[r\u{1b}8",
        // No colours, a cursor, ASCII in G0 and G0 in use.
        "\u{1b}[0m", "\u{1b}[?25h", "\u{1b}(B", "\u{0f}",
        // Keys that send what is on them; no reports of the mouse or of pasting.
        "\u{1b}[?1l", "\u{1b}>", "\u{1b}[?1000l", "\u{1b}[?1002l", "\u{1b}[?1006l", "\u{1b}[?2004l",
    ]
}
